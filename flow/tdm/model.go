package tdm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"pithings/flow"
)

// library holds the entities of a set of documents by the keys of their URNs.
type library struct {
	states       map[string]*state
	properties   map[string]*property
	events       map[string]*event
	actions      map[string]*action
	capabilities map[string]*capability
	models       map[string]*model
	devices      map[string]*deviceDoc
	services     map[string]*service
	enums        map[string]Pos
	workflows    map[string]*workflow
	systems      map[string]*system
	deployments  map[string]*deployment

	order      []*workflow   // as written
	configured []*deployment // as written

	texts  map[string]string // what was defined, by kind and URN
	passed flow.Problems     // what is read and of no use here
}

func newLibrary() *library {
	return &library{
		states: map[string]*state{}, properties: map[string]*property{}, events: map[string]*event{},
		actions: map[string]*action{}, capabilities: map[string]*capability{}, models: map[string]*model{},
		devices: map[string]*deviceDoc{}, services: map[string]*service{}, enums: map[string]Pos{},
		workflows: map[string]*workflow{}, systems: map[string]*system{}, deployments: map[string]*deployment{},
		texts: map[string]string{},
	}
}

// pass notes what is passed over.
func (l *library) pass(pos Pos, fix, format string, args ...any) {
	l.passed.Add(pos, "%s", message(fmt.Sprintf(format, args...), fix))
}

// put keeps an entity under its URN; twice the same is a problem.
func put[E any](r *reader, in map[string]E, id urn, pos Pos, e E) {
	if id.text == "" {
		return // reported already
	}
	if _, twice := in[id.key()]; twice {
		r.problems.add(pos, "remove one of them, or give it another id", "%s is defined twice", id.text)
		return
	}
	in[id.key()] = e
}

// entities are the keys of what is defined, by the kind in its URN. Enums are
// properties' types, too.
func (l *library) entities(kind string) []string {
	switch kind {
	case "property":
		return keysOf(l.properties)
	case "state":
		return keysOf(l.states)
	case "event":
		return keysOf(l.events)
	case "action":
		return keysOf(l.actions)
	case "capability":
		return keysOf(l.capabilities)
	case "devicemodel":
		return keysOf(l.models)
	case "device":
		return keysOf(l.devices)
	case "service":
		return keysOf(l.services)
	case "workflow":
		return keysOf(l.workflows)
	case "system":
		return keysOf(l.systems)
	case "deployment":
		return keysOf(l.deployments)
	case "enum":
		return keysOf(l.enums)
	}
	return nil
}

func keysOf[E any](m map[string]E) []string { return slices.Sorted(maps.Keys(m)) }

// find looks an entity up in the files and then among the built-in ones.
func find[E any](id urn, in, builtin map[string]E) (E, bool) {
	if e, ok := in[id.key()]; ok {
		return e, true
	}
	e, ok := builtin[id.key()]
	return e, ok
}

// sorted gives a map's values in the order of their places.
func sorted[E any](m map[string]E, pos func(E) Pos) []E {
	var out []E
	for _, e := range m {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool {
		p, q := pos(out[i]), pos(out[j])
		return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column)) < 0
	})
	return out
}

// jsonTypes gives for each data type (Things Graph's guide, TDM data types) the
// JSON type of its values.
var jsonTypes = map[string]string{
	"string": "string", "boolean": "boolean", "bool": "boolean",
	"int8": "integer", "int16": "integer", "int32": "integer", "int64": "integer", "int": "integer", "integer": "integer", "long": "integer",
	"uint8": "integer", "byte": "integer", "uint16": "integer", "uint32": "integer", "uint64": "integer",
	"float32": "number", "float": "number", "float64": "number", "double": "number", "number": "number",
	"urn": "string", "arn": "string", "uri": "string", "url": "string",
	"datetime": "string", "date": "string", "duration": "string", "timestamp": "string",
	"json": "any",
}

type state struct {
	id     urn
	fields []field
}

// property is a type of values: a state's, or a plain one.
type property struct {
	id       urn
	pos      Pos
	instance urn    // of a state; none for a plain one
	plain    string // data type, in lower case, or an enum's URN
}

type event struct {
	id      urn
	pos     Pos
	payload urn
}

type action struct {
	id      urn
	pos     Pos
	params  []field
	returns urn
}

type capability struct {
	id      urn
	pos     Pos
	events  map[string]member // by lower-case name
	actions map[string]member
	order   []member
}

// member is an event or an action under the name that it has in a capability.
type member struct {
	pos  Pos
	name string
	of   urn
}

type model struct {
	id           urn
	pos          Pos
	name         string
	capabilities []urn
}

// field is a named value of a state, an action or a property's state.
type field struct {
	pos      Pos
	name     string
	property urn
}

// deviceDoc is how a model is reached: for each of its events and actions, topics
// and payloads.
type deviceDoc struct {
	id      urn
	pos     Pos
	name    string
	model   urn
	events  map[string]*deviceEvent // by lower-case name
	actions map[string]*deviceAction
	// unspoken, if not nil, says why the device cannot be reached: it has none but
	// protocols that are not spoken here.
	unspoken *problem
}

type deviceEvent struct {
	pos     Pos
	name    string
	topic   string // as written
	topicAt Pos
	payload urn
}

type deviceAction struct {
	pos        Pos
	name       string
	params     []param
	topic      string
	topicAt    Pos
	request    []param
	response   string // topic; none: the action ends when its request is published
	responseAt Pos
	result     urn
}

// param is a parameter of an action, or a value of a request.
type param struct {
	pos      Pos
	name     string
	property urn
	value    *value // none for an action's own
	valueAt  Pos
}

// service is a web service: actions that are HTTP requests or Lambda functions.
type service struct {
	id      urn
	pos     Pos
	name    string
	actions map[string]*serviceAction // by lower-case name
}

type serviceAction struct {
	pos    Pos
	name   string
	params []param

	method     string // GET, POST, PUT or DELETE; "" for a Lambda function
	url        string
	urlAt      Pos
	auth       string
	awsName    string
	header     []param
	query      []param
	body       []param
	arn        string // of a Lambda function
	greengrass bool
	result     urn
}

// system names the devices and workflows that belong together.
type system struct {
	id          urn
	pos         Pos
	name        string
	description string
	things      []binding
	workflows   []binding
}

// binding is a role in a system and the model, device or workflow that fills it.
type binding struct {
	pos  Pos
	name string
	of   urn
}

// deployment is the service's flow configuration: things for the roles of a
// system, and triggers.
type deployment struct {
	id       urn
	pos      Pos
	name     string
	system   urn
	systemAt Pos
	things   []thing
	triggers []*trigger
}

type thing struct {
	pos      Pos
	role     string
	deviceID string
}

// trigger starts flows when its condition comes true.
type trigger struct {
	pos         Pos
	name        string
	description string
	condition   string
	conditionAt Pos
	actions     []statement
}
