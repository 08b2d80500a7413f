package control

// Reloads counts how often the configuration was read again (SIGHUP).
type Reloads struct {
	Applied uint64 `json:"applied"`
	Refused uint64 `json:"refused"`
	// LastRefused says that the last one was; what is in force is older then.
	LastRefused bool    `json:"last_refused"`
	LastApplied float64 `json:"last_applied"` // when, in seconds since 1970; of the start until the first one
	LastSeconds float64 `json:"last_seconds"` // what the last one took, whatever became of it
}

// Netlink counts what following the kernel's links, routes and neighbours took.
type Netlink struct {
	Routes   uint64 `json:"route_lookups"`
	Asks     uint64 `json:"neighbour_requests"` // to have a next hop resolved
	Overruns uint64 `json:"overruns"`           // times events were lost, so that everything was read again
}
