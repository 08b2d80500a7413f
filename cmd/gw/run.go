package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/control"
	"vxgw/gateway"
	"vxgw/handover"
	"vxgw/logs"
	"vxgw/metrics"
	"vxgw/page"
)

// takeoverFlag says how to start, and is no setting.
const takeoverFlag = "takeover"

// newRun makes the command that runs a gateway in the foreground; the root command
// does the same.
func newRun() *cobra.Command {
	var s settings
	var takeover bool
	c := &cobra.Command{
		Use:   "run --iface IFACE --vni VNI [flags]",
		Short: "Run a gateway in the foreground (what gw does without a command)",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			kept, err := handover.FromManager()
			if err != nil {
				fmt.Fprintln(os.Stderr, "gw:", oneLine(err))
			}
			cfg, err := s.load(c.Flags())
			if err != nil {
				abandon(kept)
				return err
			}
			if s.file == "" {
				return run(cfg, "", nil, kept, takeover)
			}
			return run(cfg, s.file, func() (config.Explained, error) {
				if err := rereadable(s.file); err != nil {
					return config.Explained{}, err
				}
				return s.load(c.Flags())
			}, kept, takeover)
		},
	}
	s.add(c.Flags())
	c.Flags().BoolVar(&takeover, takeoverFlag, false, "take over from the gateway that runs on the underlay: it ends, links, devices and tables stay")
	return c
}

// once is a flag that has one value. Of two, one would be forgotten in silence.
type once struct {
	text *string
	set  bool
}

func (o *once) String() string {
	if o.text == nil { // as pflag asks for the zero value
		return ""
	}
	return *o.text
}

func (o *once) Set(s string) error {
	if o.set {
		return errors.New("it is given twice")
	}
	*o.text, o.set = s, true
	return nil
}

func (o *once) Type() string { return "string" }

// run is the life of a gateway: start, wait for links, serve, reload, wait, take everything back. load
// reads the configuration again, from file; nil where there is none. kept is what the gateway before has left with systemd,
// ask says to ask for it.
func run(loaded config.Explained, file string, load func() (config.Explained, error), kept *handover.Bag, ask bool) (err error) {
	cfg := loaded.Config
	log := newLogger(cfg.Log)
	defer logs.Of(log).Flush()
	group, err := control.GroupID(cfg.Control.Group)
	if err != nil {
		return &config.Error{Problem: err.Error()}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer cancel()
	// To the end of the process: a signal that comes when all is taken back must not be what ends it.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGTERM)
	hangups := make(chan os.Signal, 1) // one that comes during a reload is not lost
	signal.Notify(hangups, unix.SIGHUP)
	defer signal.Stop(hangups)
	signal.Ignore(unix.SIGPIPE) // frames flow on when whoever reads the log goes away

	collect, err := predecessor(ctx, cfg, log, kept, ask)
	if err != nil {
		return err
	}
	g, err := takeOver(ctx, cfg, log, collect)
	if err == gateway.ErrInterrupted { // and all is taken back
		log.Info("stopped before frames could flow")
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = closeGateway(g, err) }()
	if g.AwaitCarrier(ctx); ctx.Err() != nil {
		log.Info("stopping")
		return nil
	}
	path := cfg.Control.Path
	if path == "" {
		path = g.Paths().Socket
	}
	api, err := control.Listen(path, group)
	if err != nil {
		return err
	}
	serving := &served{Gateway: g, load: load, log: logs.Of(log).Unbounded()}
	serving.loaded.Store(&loaded)
	defer func() { err = errors.Join(err, api.Close()) }()
	if cfg.Metrics.Listen != "" {
		m, err := metrics.Listen(cfg.Metrics.Listen, g, func(mux *http.ServeMux) { page.Handle(mux, g) })
		if err != nil {
			return err
		}
		defer m.Close()
	}

	dropPrivileges(log, g, path, g.Paths().State, file)
	announce(logs.Of(log).Unbounded(), g.Status(), path)
	api.Serve(serving) // whoever has waited for an answer finds the log whole
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("cannot tell systemd", "err", err)
	}
	go watchdog(ctx, log, g)
	for {
		select {
		case <-ctx.Done():
			log.Info("stopping")
			daemon.SdNotify(false, daemon.SdNotifyStopping) // the manager may have gone; it sees the exit
			return nil
		case <-g.Leaving():
			log.Info("handing over to the next gateway")
			return nil
		case err := <-g.Failed():
			return err
		case <-hangups:
			if _, err := serving.reload(); err == errNoFile {
				serving.log.Warn("SIGHUP: " + err.Error())
			}
		}
	}
}

// announce says what runs, once frames can flow.
func announce(log *slog.Logger, s control.Status, path string) {
	log.Info("underlay", "iface", s.Underlay.Name, "local", strings.Join(s.Underlay.Locals, " "), "dstport", s.Underlay.DstPort,
		"xdp", s.Underlay.XDP, "mode", modes(s.Underlay.Queues), "mtu", s.Underlay.MTU)
	if per := s.Underlay.Queues[0].PerSend; per > 0 {
		log.Info("this kernel makes sending cost more system calls (Linux 6.17 does not)", "frames_per_call", per)
	}
	for _, p := range s.Ports {
		if n := len(p.VLANs); n > 0 {
			log.Info("trunk", "port", p.Name, "vlans", n, "tpid", p.TPID, "xdp", p.XDP, "mode", modes(p.Queues), "mtu", p.MTU)
			continue
		}
		log.Info("port", "vni", p.VNI, "port", p.Name, "device", p.Device, "xdp", p.XDP, "mode", modes(p.Queues), "mtu", p.MTU)
	}
	for _, p := range s.Problems {
		log.Warn("frames do not flow everywhere yet", "problem", p)
	}
	if s.Hint != "" {
		log.Info(s.Hint)
	}
	log.Info("ready", "control", path)
}

// modes says how queues are bound, in one word when they agree.
func modes(queues []control.Queue) string {
	mode := ""
	for _, q := range queues {
		switch mode {
		case "", q.Mode:
			mode = q.Mode
		default:
			return "mixed"
		}
	}
	return mode
}
