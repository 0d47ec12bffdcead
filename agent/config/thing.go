package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"pithings/flow"
)

// sections decodes everything but things and flows.
func (d *decoder) sections(c *Config, list []entry) {
	var rest []entry
	for _, e := range list {
		if e.key != "things" && e.key != "flows" {
			rest = append(rest, e)
		}
	}
	d.fields(rest, fieldsOf(c), "", "configuration", func(key string) string {
		for _, kind := range Types() {
			if slices.Contains(keysOf(thingFields(kind)), key) {
				return "belongs to a thing, in the list \"things\""
			}
		}
		return ""
	})
}

func thingFields(kind string) []field {
	t := newThing(kind)
	return fieldsOf(t.part())
}

// things decodes the list of things. Own connections inherit from c.MQTT, which
// is complete by now.
func (d *decoder) things(c *Config, e entry) {
	d.mark("things", e.at)
	for i, n := range d.items(e) {
		if d.problems.full() {
			return
		}
		// A thing with problems keeps its place, so that paths go on to match.
		c.Things = append(c.Things, d.thing(c, n, i))
	}
}

// thing decodes the thing with index i. Its Type is empty when there is no
// telling what it is.
func (d *decoder) thing(c *Config, n ast.Node, i int) Thing {
	path, what := fmt.Sprintf("things[%d]", i), fmt.Sprintf("thing %d", i+1)
	d.mark(path, n)
	list, ok := d.entries(n, what, 0)
	if !ok {
		return Thing{}
	}
	// The type decides which keys there are, and the name stands in messages.
	var who Thing
	before := d.problems.count()
	for _, f := range fieldsOf(&who) {
		if i := slices.IndexFunc(list, func(e entry) bool { return e.key == f.key }); i >= 0 && f.scalar() {
			d.field(list[i], f, join(path, f.key))
		}
	}
	if who.Name != "" {
		what = "thing " + quote(who.Name)
	}
	if d.problems.count() > before {
		return Thing{Name: who.Name}
	}
	if who.Type == "" {
		d.fail(n, "%s has no type; give one of %s", what, strings.Join(Types(), ", "))
		return Thing{Name: who.Name}
	}
	t := newThing(who.Type)
	t.Name = who.Name
	var own *entry
	var rest []entry
	for _, e := range list {
		switch e.key {
		case "name", "type":
		case "mqtt":
			own = &e
		default:
			rest = append(rest, e)
		}
	}
	common := fieldsOf(&t)
	d.fields(rest, append(common, fieldsOf(t.part())...), path, what, func(key string) string {
		return elsewhere(t.Type, key)
	})
	d.topicRoles(&t, path, what)
	if own != nil {
		t.MQTT = d.connection(c, *own, t.Name, join(path, "mqtt"), what)
	}
	return t
}

// elsewhere tells which other types of things have a key.
func elsewhere(kind, key string) string {
	var others []string
	for _, other := range Types() {
		if other != kind && slices.Contains(keysOf(thingFields(other)), key) {
			others = append(others, other)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return fmt.Sprintf("belongs to type %s, and this thing is of type %s", strings.Join(others, " and "), kind)
}

func (d *decoder) topicRoles(t *Thing, path, what string) {
	known := rolesOf(t.Type)
	for role := range t.Topics {
		if !slices.Contains(known, role) {
			delete(t.Topics, role)
			d.problems.add(d.problem(join(path, "topics."+role), "%s: type %s has no topic %s%s", what, t.Type, quote(role), flow.Suggest(role, known)))
		}
	}
}

// connection decodes a thing's own connection over the shared one.
func (d *decoder) connection(c *Config, e entry, name, path, what string) *MQTT {
	d.mark(path, e.at)
	own := c.MQTT
	own.ClientID, own.Will = name, Will{}
	if list, ok := d.entries(e.value, what+": mqtt", 0); ok {
		d.fields(list, fieldsOf(&own), path, what+": mqtt", nowhere)
	}
	given := func(key string) bool { _, ok := d.places[join(path, key)]; return ok }
	if given("password") != given("password_file") { // each replaces the other
		if given("password") {
			own.PasswordFile = ""
		} else {
			own.Password = Secret{}
		}
	}
	if given("cert") != given("key") && (c.MQTT.Cert != "" || c.MQTT.Key != "") {
		d.problems.add(d.problem(path, "%s: cert and key belong together; give both here", what))
	}
	return &own
}

func (d *decoder) flows(c *Config, e entry) {
	d.mark("flows", e.at)
	for i, n := range d.items(e) {
		path := fmt.Sprintf("flows[%d]", i)
		d.mark(path, n)
		var f Flow
		fill(&f)
		if list, ok := d.entries(n, "flow", 0); ok {
			d.fields(list, fieldsOf(&f), path, "flow", nowhere)
		}
		c.Flows = append(c.Flows, f)
	}
}

// problem returns a problem with the value at path, or with what surrounds it.
func (d *decoder) problem(path string, format string, args ...any) Problem {
	p := Problem{Source: d.source, Message: fmt.Sprintf(format, args...)}
	for path != "" {
		if at, ok := d.places[path]; ok {
			p.Source, p.Line, p.Column = at.source, at.line, at.column
			break
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return p
}
