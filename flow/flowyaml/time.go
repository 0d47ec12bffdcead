package flowyaml

import (
	"slices"

	"github.com/goccy/go-yaml/ast"

	"pithings/flow"
)

// atKeys are the keys of a trigger that belong to at.
var atKeys = []string{"at", "days", "zone", "place", "offset", "catch_up"}

// atTrigger reads at and its keys, if any of them is there.
func (r *reader) atTrigger(n ast.Node, list []entry) *flow.At {
	list = slices.DeleteFunc(slices.Clone(list), func(e entry) bool { return !slices.Contains(atKeys, e.key) })
	if len(list) == 0 {
		return nil
	}
	has := map[string]entry{}
	for _, e := range list {
		has[e.key] = e
	}
	at, ok := has["at"]
	if !ok {
		r.fail(list[0].at, "trigger: %s belongs to at, which is missing; write, for example, at: \"07:00\" or at: sunset", list[0].key)
		return nil
	}
	a, err := flow.ParseAt(r.text(at, "trigger"))
	if err != nil {
		r.problems.Add(r.pos(at.at), "trigger: %v", err)
		return nil
	}
	for _, e := range list {
		switch e.key {
		case "days":
			if a.Days, err = flow.ParseWeekdays(r.texts(e, "trigger")); err != nil {
				r.problems.Add(r.pos(e.at), "trigger, days: %v", err)
			}
		case "zone":
			a.Zone = r.text(e, "trigger")
		case "place":
			a.Lat, a.Lon = r.place(e)
		case "offset":
			a.Offset = r.signedDuration(e, "trigger")
		case "catch_up":
			a.CatchUp = r.duration(e, "trigger")
		}
	}
	_, place := has["place"]
	switch {
	case a.Sun != "" && !place:
		r.fail(at.at, "trigger: %s depends on the place; write, for example, place: [52.52, 13.41], degrees north and east", a.Sun)
	case a.Sun == "" && place:
		r.fail(has["place"].at, "trigger: place belongs to at: sunrise or at: sunset; leave it out")
	case a.Sun == "" && a.Offset != 0:
		r.fail(has["offset"].at, "trigger: offset belongs to at: sunrise or at: sunset; write the time itself")
	}
	return &a
}

// place is [latitude, longitude].
func (r *reader) place(e entry) (lat, lon float64) {
	numbers := r.items(e.value)
	if len(numbers) != 2 {
		r.fail(e.at, "trigger, place: write [latitude, longitude], for example [52.52, 13.41]")
		return 0, 0
	}
	one := func(n ast.Node) float64 { return r.number(entry{key: e.key, at: n, value: n}, "trigger") }
	return one(numbers[0]), one(numbers[1])
}

// vars reads the kept variables with their first values.
func (r *reader) vars(d *flow.Deployment, e entry) {
	for _, k := range r.mapping(e.value, "vars", nil) {
		d.Vars = append(d.Vars, flow.Var{Name: k.key, Initial: r.literal(k.value, "vars, "+k.key), Pos: r.pos(k.at)})
	}
}

// printAt adds the keys of an at.
func printAt(m *mapping, a *flow.At) {
	m.text("at", a.Moment())
	if names := a.Days.Names(); len(names) > 0 {
		m.add("days", oneOrMore(names))
	}
	m.text("zone", a.Zone)
	if a.Sun != "" {
		m.add("place", []any{a.Lat, a.Lon})
	}
	if a.Offset < 0 {
		m.add("offset", "-"+shortDuration(-a.Offset))
	}
	m.duration("offset", a.Offset)
	m.duration("catch_up", a.CatchUp)
}
