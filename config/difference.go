package config

import (
	"fmt"
	"reflect"
	"slices"
)

// mostLines is after how many lines Lines begins no other VNI.
const mostLines = 1000

// Lines says what changes while the gateway runs, a setting or an element of a list a line, marked as by diff(1): "- vni 42 ageing:
// 5m0s" goes, "+ vni 42 ageing: 1m0s" comes, and "~" has another order. Of VNIs that come it has what is not the default. There is a
// bound: a last line then says how many VNIs are not told of.
func (c *Changes) Lines() []string {
	var lines []string
	left := len(c.Remove) + len(c.Change) + len(c.Add)
	room := func() bool {
		if len(lines) >= mostLines {
			return false
		}
		left--
		return true
	}
	for _, v := range c.Remove {
		if room() {
			lines = append(lines, fmt.Sprintf("- vni %d", v.VNI))
		}
	}
	for _, one := range c.Change {
		if room() {
			lines = append(lines, one.lines()...)
		}
	}
	for _, v := range c.Add {
		if room() {
			plain := Default()
			bare := plain.NewVNI(v.VNI)
			lines = append(append(lines, fmt.Sprintf("+ vni %d", v.VNI)), comes(VNIChange{&bare, v}.lines())...)
		}
	}
	if c.Level != "" {
		lines = append(lines, "+ log.level: "+c.Level)
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("and %d more VNIs", left))
	}
	return lines
}

// comes leaves out what goes: nothing was there.
func comes(lines []string) []string {
	return slices.DeleteFunc(lines, func(l string) bool { return l[0] == '-' })
}

func (c VNIChange) lines() []string {
	from, to := reflect.ValueOf(c.From).Elem(), reflect.ValueOf(c.To).Elem()
	var lines []string
	for i := range from.NumField() {
		if key := keyOf(from.Type().Field(i)); slices.Contains(c.Keys(), key) {
			lines = append(lines, differences(fmt.Sprintf("vni %d %s", c.To.VNI, key), from.Field(i), to.Field(i))...)
		}
	}
	return lines
}

// differences are those of a setting.
func differences(path string, from, to reflect.Value) (lines []string) {
	switch {
	case from.Kind() == reflect.Pointer && from.IsNil() && to.IsNil():
		return nil
	case from.Kind() == reflect.Pointer && from.IsNil():
		return append([]string{"- " + path + ": null"}, comes(differences(path, reflect.Zero(to.Type().Elem()), to.Elem()))...)
	case from.Kind() == reflect.Pointer && to.IsNil():
		gone := slices.DeleteFunc(differences(path, from.Elem(), reflect.Zero(from.Type().Elem())), func(l string) bool { return l[0] == '+' })
		return append(gone, "+ "+path+": null")
	case from.Kind() == reflect.Pointer:
		return differences(path, from.Elem(), to.Elem())
	case from.Kind() == reflect.Slice && !isText(from.Type()):
		return listDifferences(path, from, to)
	case from.Kind() == reflect.Struct && !isText(from.Type()):
		for i := range from.NumField() {
			lines = append(lines, differences(path+"."+keyOf(from.Type().Field(i)), from.Field(i), to.Field(i))...)
		}
		return lines
	}
	was, is := scalarText(from), scalarText(to)
	if was == is {
		return nil
	}
	if was != "" {
		lines = append(lines, "- "+path+": "+was)
	}
	if is != "" {
		lines = append(lines, "+ "+path+": "+is)
	}
	return lines
}

func listDifferences(path string, from, to reflect.Value) (lines []string) {
	texts := func(list reflect.Value) (all []string, there map[string]bool) {
		there = map[string]bool{}
		for i := range list.Len() {
			text := element(list.Index(i))
			all, there[text] = append(all, text), true
		}
		return all, there
	}
	was, had := texts(from)
	is, has := texts(to)
	for _, text := range was {
		if !has[text] {
			lines = append(lines, "- "+path+": "+text)
		}
	}
	for _, text := range is {
		if !had[text] {
			lines = append(lines, "+ "+path+": "+text)
		}
	}
	if len(lines) == 0 && !slices.Equal(was, is) {
		lines = append(lines, "~ "+path+": in another order")
	}
	return lines
}
