package doctor

import (
	"slices"
	"strings"
)

// checks are all there are, grouped.
var checks = slices.Concat(kernelChecks, privilegeChecks, memoryChecks, underlayChecks, spreadChecks, trafficChecks, portChecks, gatewayChecks)

// preface is what stands before the list in docs/doctor.md.
const preface = `# What gw doctor looks at

Made from the code by ` + "`make generate`" + `: do not edit.

    gw doctor --iface ens18 --port veth1          # before gw runs: the flags of gw itself say what it is to be
    gw doctor --config /etc/gw/ens18.yaml
    gw doctor                                     # the gateway that runs here; without one the machine alone
    gw doctor -j | jq -r '.findings[] | select(.level != "ok") | .cure'

Each finding is ` + "`ok`, a `warning` (it works, and less well than it could, or not for all packets) or an `error`" + ` (` + "`gw`" + ` would not start, or no
frame would flow), in one sentence, with the command that helps. The exit status is 0, 1 or 2 by the worst of them. What could not be seen,
most often for want of root, is listed apart and counts for nothing. Run it as the user that is to run ` + "`gw`" + `: capabilities and limits are the caller's.

Nothing is changed, and an interface that is in use is left alone: an AF_XDP socket is bound to one queue, and closed. In copy mode the
driver hears nothing of that; zero-copy, most drivers look for an XDP program before they touch a queue, and only of those it is asked. With ` + "`--probe`" + `
any driver is asked, with an XDP program that passes everything, which resets many NICs (the carrier goes for seconds). A ` + "`gw`" + ` that runs is asked by its
API instead. It takes less than five seconds; where many interfaces take more, the rest is not seen.

With ` + "`-j`" + ` there are ` + "`findings` (`id`, `group`, `level`, `subject`, `text`, `cure`) and `unseen` (`id`, `subject`, `text`, `cure`)" + `. Ids stay what they are; texts may change.
`

// Document is docs/doctor.md.
func Document() string {
	var b strings.Builder
	b.WriteString(preface)
	group := ""
	for _, c := range checks {
		if c.Group() != group {
			group = c.Group()
			b.WriteString("\n## " + group + "\n\n| id | what is looked at | what helps | from |\n|---|---|---|---|\n")
		}
		b.WriteString("| `" + c.ID + "` | " + c.About + " | " + c.Cure + " | " + c.From + " |\n")
	}
	return b.String()
}
