package control

import (
	"fmt"
	"net/http"
)

// fdbRoutes are those of gw fdb.
func fdbRoutes() []Route {
	entry := `{"mac": "02:57:a7:1c:00:01", "dev": "gw42", "dst": "10.65.132.188"}`
	list := `{"mac": "00:00:00:00:00:00", "dev": "gw42", "dst": "10.65.132.189"}`
	return []Route{
		get("/fdb", "Lists the entries of all VNIs: what `gw fdb show -j` prints.", func(g Gateway) ([]FDBEntry, error) { return g.FDB(), nil }),
		changeFDB("add", "Enters where an address is, unless there is an entry.", entry),
		changeFDB("replace", "Enters where an address is, whatever was there.", entry),
		changeFDB("append", "Adds a VTEP that is flooded to; its address is 00:00:00:00:00:00.", list),
		post("/fdb/get", "Finds the entry that the body names, or the destinations of a flood list.", `{"mac": "02:57:a7:1c:00:01", "dev": "gw42"}`,
			func(g Gateway, c FDBChange) ([]FDBEntry, error) {
				if err := c.check("get"); err != nil {
					return nil, err
				}
				return g.GetFDB(c)
			}),
		changeFDB("del", "Deletes an entry, or a VTEP that is flooded to.", list),
		post("/fdb/flush", "Deletes the entries that the body chooses, which names a VNI or a port as `dev`.", `{"dev": "gw42", "dst": "10.65.132.188", "state": "permanent"}`,
			func(g Gateway, f FDBFilter) (Flushed, error) {
				if err := f.Check(); err != nil {
					return Flushed{}, Invalid{fmt.Errorf("fdb flush: %w", err)}
				}
				n, err := g.FlushFDB(f)
				return Flushed{n}, err
			}),
		{Method: http.MethodGet, Path: "/fdb/history", Answer: []FDBHistory{}, handle: historyFDB, Sample: "?mac=02:57:a7:1c:00:01",
			Doc:   "Tells how an address moved, in each VNI. The answer is 404 when no move of it is remembered.",
			Query: []Parameter{{"mac", "the address"}, {"vni", "of one VNI only"}}},
		{Method: http.MethodGet, Path: "/fdb/monitor", Answer: FDBEvent{}, Lines: true, handle: monitorFDB,
			Doc: "Tells what comes, changes and goes in the MAC tables. Eight at a time may listen."},
	}
}

// changeFDB is the route of a verb that answers no entries.
func changeFDB(name, doc, sample string) Route {
	return post("/fdb/"+name, doc, sample, func(g Gateway, c FDBChange) ([]FDBEntry, error) {
		if err := c.check(name); err != nil {
			return nil, err
		}
		return []FDBEntry{}, g.ChangeFDB(name, c)
	})
}

// check is Check for the server.
func (c *FDBChange) check(verb string) error {
	if err := c.Check(verb); err != nil {
		return Invalid{fmt.Errorf("fdb %s: %w", verb, err)}
	}
	return nil
}

// Flushed is what the verb flush answers.
type Flushed struct {
	Removed int `json:"removed"` // entries
}
