package control

// Log is what is logged.
type Log struct {
	Level string   `json:"level"`           // debug, info, warn or error
	Debug []uint32 `json:"debug,omitempty"` // VNIs whose lines are logged from debug on
	// LeftOut is how many lines were left out since there were too many of their kind.
	LeftOut uint64 `json:"left_out"`
}

// LogChange is what POST /v1/log takes: a level, or what is logged of one VNI.
type LogChange struct {
	Level string `json:"level,omitempty"` // debug, info, warn or error
	VNI   uint32 `json:"vni,omitempty"`   // of the bridge domain
	Debug bool   `json:"debug,omitempty"` // of VNI
}

// logRoutes are those of gw log.
func logRoutes() []Route {
	return []Route{verb("/log", "Changes what is logged: the level, or of one VNI whether it is from debug on. The status says what it is.", `{"level": "info"}`, Gateway.SetLog)}
}
