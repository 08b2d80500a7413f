package config

import (
	"encoding/json"
	"reflect"
)

// Schema is the JSON Schema (draft 2020-12) of a file, for editors and for checks before
// gw is there. What it accepts may still be refused: which settings go together, and what
// a machine has, it cannot say.
func Schema() ([]byte, error) {
	s := sectionSchema(reflect.TypeFor[Config]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Configuration of gw"
	s["required"] = []string{"underlay", "vnis"}
	return json.MarshalIndent(s, "", "  ")
}

func sectionSchema(t reflect.Type) map[string]any {
	t = written(t)
	keys := map[string]any{}
	for i := range t.NumField() {
		f := t.Field(i)
		one := typeSchema(f.Type)
		if doc := described(t, i); doc != "" {
			one["description"] = doc
		}
		if t == reflect.TypeFor[VNI]() && f.Name == "VNI" { // or a range of them
			one = map[string]any{"anyOf": []any{one, map[string]any{"type": "string", "pattern": "^[0-9]+-[0-9]+$"}}, "description": one["description"]}
		}
		keys[keyOf(f)] = one
	}
	return map[string]any{"type": "object", "properties": keys, "additionalProperties": false}
}

// typeSchema is a map of its own at each call.
func typeSchema(t reflect.Type) map[string]any {
	switch {
	case t.Kind() == reflect.Pointer:
		return map[string]any{"anyOf": []any{typeSchema(t.Elem()), map[string]any{"type": "null"}}}
	case t == reflect.TypeFor[Allow]():
		one := typeSchema(t.Elem())
		return map[string]any{"anyOf": []any{one, map[string]any{"type": []string{"array", "null"}, "items": one, "minItems": 1}}}
	case t.Kind() == reflect.Slice && !isText(t):
		return map[string]any{"type": []string{"array", "null"}, "items": typeSchema(t.Elem())}
	}
	s, ok := shapes[t]
	switch {
	case !ok:
		return sectionSchema(t)
	case s.schema == nil:
		return map[string]any{"anyOf": []any{map[string]any{"type": "string"}, sectionSchema(t)}}
	}
	one := make(map[string]any, len(s.schema)+1)
	for k, v := range s.schema {
		one[k] = v
	}
	return one
}
