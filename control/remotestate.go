package control

// RemoteIdle is the state of a remote that nobody has sent to, so that no way to it is followed.
const RemoteIdle = "idle"

// RemoteStates is every value of Remote.State: those of a way, and RemoteIdle.
func RemoteStates() []string {
	return []string{"resolving", "direct", "failed", "no-route", "link-down", RemoteIdle}
}
