package config

import (
	"fmt"
	"slices"
	"strings"

	"pithings/conf"
	"pithings/conf/suggest"
	"pithings/things"
)

// decoder turns a YAML document into a Config.
type decoder struct {
	*conf.Decoder
	partial bool // things, flows and a broker may be missing
	state   State
	over    Over
	layer   *layerDecoder // what over has returned
}

func newDecoder(source string, vars conf.Variables) *decoder {
	return &decoder{Decoder: conf.NewDecoder(source, vars)}
}

// only lets the decoder do without what an agent needs.
func (d *decoder) only() *decoder {
	d.partial = true
	return d
}

// sections decodes everything but things and flows.
func (d *decoder) sections(c *Config, list []conf.Entry) {
	var rest []conf.Entry
	for _, e := range list {
		if e.Key != "things" && e.Key != "flows" {
			rest = append(rest, e)
		}
	}
	d.Fields(rest, conf.Fields(c), "", "configuration", func(key string) string {
		if len(withKey(key)) > 0 {
			return "belongs to a thing, in the list \"things\""
		}
		return ""
	})
}

// lists decodes things and flows. Own connections of things inherit from c.MQTT, which is
// complete by now.
func (d *decoder) lists(c *Config, list []conf.Entry) {
	for _, e := range list {
		switch e.Key {
		case "things":
			d.things(c, e)
		case "flows":
			d.flows(c, e)
		}
	}
}

func (d *decoder) things(c *Config, e conf.Entry) {
	d.MarkNode("things", e.At)
	for i, n := range d.Items(e) {
		if d.Problems.Full() {
			return
		}
		// A thing with problems keeps its place, so that paths continue to match.
		c.Things = append(c.Things, d.thing(c, n, i))
	}
}

func (d *decoder) flows(c *Config, e conf.Entry) {
	d.MarkNode("flows", e.At)
	for i, n := range d.Items(e) {
		path := fmt.Sprintf("flows[%d]", i)
		d.MarkNode(path, n)
		var f Flow
		conf.Fill(&f)
		d.Struct(n, &f, path, "flow")
		c.Flows = append(c.Flows, f)
	}
}

// thing decodes the thing with index i. Its Type is empty when the file does not show what
// it is.
func (d *decoder) thing(c *Config, n conf.Node, i int) Thing {
	path, what := fmt.Sprintf("things[%d]", i), fmt.Sprintf("thing %d", i+1)
	d.MarkNode(path, n)
	list, ok := d.Entries(n, what)
	if !ok {
		return Thing{}
	}
	// The type decides which keys there are, and the name stands in messages.
	who, ok := d.nameAndType(list, path)
	if who.Name != "" {
		what = "thing " + conf.Quote(who.Name)
	}
	if !ok {
		return Thing{Name: who.Name}
	}
	if who.Type == "" {
		d.Fail(n, "%s has no type; give one of %s", what, strings.Join(things.KindNames(), ", "))
		return Thing{Name: who.Name}
	}
	t := newThing(who.Type)
	t.Name = who.Name
	var own *conf.Entry
	var rest []conf.Entry
	for _, e := range list {
		switch e.Key {
		case "name", "type":
		case "mqtt":
			own = &e
		default:
			rest = append(rest, e)
		}
	}
	d.Fields(rest, conf.Fields(&t), path, what, func(key string) string { return elsewhere(t.Type, key) })
	d.topicRoles(&t, path, what)
	if own != nil {
		t.MQTT = d.connection(c, *own, t.Name, conf.Join(path, "mqtt"), what)
	}
	return t
}

// nameAndType decodes these two of a thing's keys. It reports false after a problem.
func (d *decoder) nameAndType(list []conf.Entry, path string) (who Thing, ok bool) {
	before := d.Problems.Count()
	for _, f := range conf.Fields(&who) {
		if f.Key == "type" {
			f = f.Only(things.KindNames())
		}
		if i := slices.IndexFunc(list, func(e conf.Entry) bool { return e.Key == f.Key }); i >= 0 && f.Scalar() {
			d.Field(list[i], f, conf.Join(path, f.Key))
		}
	}
	return who, d.Problems.Count() == before
}

// elsewhere says which other types of things have a key.
func elsewhere(name, key string) string {
	others := slices.DeleteFunc(withKey(key), func(other string) bool { return other == name })
	if len(others) == 0 {
		return ""
	}
	types := "type " + others[0]
	if last := len(others) - 1; last > 0 {
		types = "types " + strings.Join(others[:last], ", ") + " and " + others[last]
	}
	return fmt.Sprintf("belongs to %s, and this thing is of type %s", types, name)
}

func (d *decoder) topicRoles(t *Thing, path, what string) {
	known := rolesOf(t.Type)
	for role := range t.Topics {
		if !slices.Contains(known, role) {
			delete(t.Topics, role)
			d.Bad(conf.Join(path, "topics."+role), "%s: type %s has no topic %s%s", what, t.Type, conf.Quote(role), suggest.From(role, known))
		}
	}
}

// connection decodes a thing's own connection over the shared one.
func (d *decoder) connection(c *Config, e conf.Entry, name, path, what string) *MQTT {
	d.MarkNode(path, e.At)
	own := c.MQTT
	own.ClientID = name
	own.Will, own.Birth, own.Close, own.Status = Message{}, Message{}, Message{}, false // one for each connection
	d.Struct(e.Value, &own, path, what+": mqtt")
	given := func(key string) bool { return d.Given(conf.Join(path, key)) }
	if given("password") != given("password_file") { // each replaces the other
		if given("password") {
			own.PasswordFile = ""
		} else {
			own.Password = conf.Secret{}
		}
	}
	if given("cert") != given("key") && (c.MQTT.Cert != "" || c.MQTT.Key != "") {
		d.Bad(path, "%s: cert and key belong together; give both here", what)
	}
	return &own
}
