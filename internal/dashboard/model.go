package main

// The parts of Grafana's model of a dashboard that are used here, as its documentation
// calls them (dashboard JSON model).

type board struct {
	UID           string           `json:"uid"`
	Title         string           `json:"title"`
	Description   string           `json:"description"`
	Tags          []string         `json:"tags"`
	SchemaVersion int              `json:"schemaVersion"`
	Editable      bool             `json:"editable"`
	GraphTooltip  int              `json:"graphTooltip"`
	Refresh       string           `json:"refresh"`
	Time          span             `json:"time"`
	Timezone      string           `json:"timezone"`
	Templating    list[variable]   `json:"templating"`
	Annotations   list[annotation] `json:"annotations"`
	Panels        []panel          `json:"panels"`
}

type list[T any] struct {
	List []T `json:"list"`
}

type span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type variable struct {
	Name        string      `json:"name"`
	Label       string      `json:"label"`
	Description string      `json:"description"`
	Type        string      `json:"type"`
	Query       string      `json:"query"`
	Definition  string      `json:"definition,omitempty"`
	Datasource  *datasource `json:"datasource,omitempty"`
	Refresh     int         `json:"refresh"`
	Sort        int         `json:"sort,omitempty"`
	Multi       bool        `json:"multi,omitempty"`
	IncludeAll  bool        `json:"includeAll,omitempty"`
	AllValue    string      `json:"allValue,omitempty"`
	Current     *chosen     `json:"current,omitempty"`
}

type chosen struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

type annotation struct {
	Name        string     `json:"name"`
	Datasource  datasource `json:"datasource"`
	Enable      bool       `json:"enable"`
	IconColor   string     `json:"iconColor"`
	Expr        string     `json:"expr"`
	TitleFormat string     `json:"titleFormat"`
	TextFormat  string     `json:"textFormat"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// source is the one that the reader chose.
var source = datasource{"prometheus", "${datasource}"}

type panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	Place           place            `json:"gridPos"`
	Collapsed       *bool            `json:"collapsed,omitempty"`
	Nested          *[]panel         `json:"panels,omitempty"` // of a row that is folded
	Datasource      *datasource      `json:"datasource,omitempty"`
	Targets         []target         `json:"targets,omitempty"`
	Fields          *fields          `json:"fieldConfig,omitempty"`
	Options         map[string]any   `json:"options,omitempty"`
	Transformations []transformation `json:"transformations,omitempty"`
}

type place struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type target struct {
	RefID      string     `json:"refId"`
	Datasource datasource `json:"datasource"`
	Expr       string     `json:"expr"`
	Legend     string     `json:"legendFormat"`
	Format     string     `json:"format"`
	Instant    bool       `json:"instant"`
	Range      bool       `json:"range"`
	Editor     string     `json:"editorMode"`
}

type fields struct {
	Defaults  field `json:"defaults"`
	Overrides []any `json:"overrides"`
}

type field struct {
	Unit       string         `json:"unit"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	Decimals   *int           `json:"decimals,omitempty"`
	Color      map[string]any `json:"color"`
	Thresholds thresholds     `json:"thresholds"`
	Mappings   []any          `json:"mappings"`
	Custom     map[string]any `json:"custom,omitempty"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"` // nil: from the least on
}

type transformation struct {
	ID      string         `json:"id"`
	Options map[string]any `json:"options"`
}
