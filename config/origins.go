package config

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// Origins says where each setting of a configuration comes from, by path: a line of a file, a flag, a variable. What is not there is
// a default.
type Origins map[string]string

// Explained is a configuration with where its settings come from.
type Explained struct {
	Config  *Config
	Origins Origins
}

// Explain reads a file as LoadWith does, and says where each setting comes from. Of JSON of many megabytes it tells no lines.
func Explain(path string, over ...Override) (Explained, error) {
	data, err := readFile(path)
	if err != nil {
		return Explained{}, err
	}
	e := Explained{Origins: Origins{}}
	if len(data) >= largeJSON && isJSON(data) {
		e.Config, err = parseLarge(data, path, over)
	} else {
		var lines map[string]int
		e.Config, lines, err = parseYAML(data, path, over)
		for at, line := range lines {
			if at != "" {
				e.Origins[at] = fmt.Sprintf("%s:%d", path, line)
			}
		}
	}
	for _, o := range over {
		at, _ := FlagPath(o.Flag)
		e.Origins[at] = o.From
	}
	return e, err
}

// ExplainFlags says what the flags of a command line, by their names, are called.
func ExplainFlags(c *Config, from map[string]string) Explained {
	e := Explained{c, Origins{}}
	for flag, name := range from {
		at, _ := FlagPath(flag)
		e.Origins[at] = name
	}
	return e
}

var indices = regexp.MustCompile(`\[[0-9]+\]`)

// Of says where the setting at a path comes from.
func (o Origins) Of(path string) string {
	for _, p := range []string{path, indices.ReplaceAllString(path, "[]")} {
		if from, ok := o[p]; ok {
			return from
		}
	}
	if _, key, ok := strings.Cut(path, "].tunnel."); ok {
		return o.Of("tunnel." + key)
	}
	return "default"
}

// AtRunTime says what of now, which e has become, was changed since: VNIs, settings of them, and the level of the log.
func (e Explained) AtRunTime(now *Config) Explained {
	const changed = "changed at run time"
	next := Origins{}
	vnis, was := map[uint32]int{}, map[uint32]*VNI{}
	for i := range now.VNIs {
		vnis[now.VNIs[i].VNI] = i
	}
	for i := range e.Config.VNIs {
		was[e.Config.VNIs[i].VNI] = &e.Config.VNIs[i]
	}
	// What is said of a VNI is so of the same one now.
	for at, from := range e.Origins {
		var i int
		if n, err := fmt.Sscanf(at, "vnis[%d]", &i); n != 1 || err != nil {
			next[at] = from
			continue
		}
		if j, there := vnis[e.Config.VNIs[i].VNI]; there {
			_, rest, _ := strings.Cut(at, "]")
			next[fmt.Sprintf("vnis[%d]%s", j, rest)] = from
		}
	}
	if now.Log.Level != e.Config.Log.Level {
		next["log.level"] = changed
	}
	for j := range now.VNIs {
		v := &now.VNIs[j]
		at := fmt.Sprintf("vnis[%d]", j)
		if was[v.VNI] == nil {
			maps.DeleteFunc(next, func(p, _ string) bool { return strings.HasPrefix(p, at) })
			walk(at, v, func(path string) { next[path] = changed })
			continue
		}
		for _, key := range (VNIChange{was[v.VNI], v}).Keys() {
			walk(at, v, func(path string) {
				if path == at+"."+key || strings.HasPrefix(path, at+"."+key+".") || strings.HasPrefix(path, at+"."+key+"[") {
					next[path] = changed
				}
			})
			next[at+"."+key] = changed
		}
	}
	return Explained{now, next}
}
