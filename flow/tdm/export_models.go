package tdm

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/expr"
)

// Models are the devices and web services that a deployment uses, to be written
// beside it.
type Models struct {
	Devices  []device.Model
	Services []flow.ServiceModel
}

// written is the URN under which a device or a service is written, and the URN of a
// device's model.
type written struct{ urn, model string }

// models finds URNs for what has none, before anything refers to them.
func (ex *exporter) models(m Models) {
	ex.devices, ex.services = map[string]written{}, map[string]written{}
	taken := map[string]string{}
	name := func(kind, id string) string {
		urn := id
		if _, ok := parseURN(id); !ok {
			urn = made(kind, plainName(id))
		}
		if other, twice := taken[strings.ToLower(urn)]; twice {
			ex.refuse(ex.d.Pos, "give one of them another name", "%s and %s apart", other, id)
		}
		taken[strings.ToLower(urn)] = id
		return urn
	}
	for _, one := range m.Devices {
		model := one.Implements
		if _, ok := parseURN(model); !ok {
			model = made("DeviceModel", plainName(cmp.Or(model, one.ID[strings.LastIndexByte(one.ID, ':')+1:])))
		}
		ex.devices[strings.ToLower(one.ID)] = written{name("Device", one.ID), model}
	}
	for _, one := range m.Services {
		ex.services[strings.ToLower(one.ID)] = written{urn: name("Service", one.ID)}
	}
}

var noName = regexp.MustCompile(`[^0-9A-Za-z_]+`)

// plainName is a name of which a URN and a definition can be made.
func plainName(id string) string {
	name := noName.ReplaceAllString(id[strings.LastIndexByte(id, ':')+1:], "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// deviceURN is the URN of a role's model: of a device that is written, or itself.
func (ex *exporter) deviceURN(model string) string {
	return cmp.Or(ex.devices[strings.ToLower(model)].urn, model)
}

// device writes a device with the states and properties of its payloads, which come
// first.
func (ex *exporter) device(m device.Model) []*node {
	w := ex.devices[strings.ToLower(m.ID)]
	name := plainName(m.ID)
	types := &payloadTypes{ex: ex, of: name}
	capability := &node{name: name, hasBody: true, args: []arg{asText("id", made("Capability", name))}}
	for _, key := range slices.Sorted(maps.Keys(m.Events)) {
		e := m.Events[key]
		if e.Time != "" {
			ex.refuse(ex.d.Pos, leaveOut, "time: %s, of the event %s of %s", e.Time, key, m.ID)
		}
		capability.children = append(capability.children, &node{name: "Event", args: []arg{asText("name", key)}, hasBody: true, children: []*node{
			{name: "Subscribe", args: []arg{asText("topic", runtimeTopic(e.Topic))}, hasBody: true, children: types.response(key, e.Payload)}}})
	}
	for _, key := range slices.Sorted(maps.Keys(m.Actions)) {
		capability.children = append(capability.children, ex.deviceAction(m.ID, key, m.Actions[key], types))
	}
	return append(types.nodes, &node{keyword: "query", name: name, hasBody: true,
		directives: []directive{{name: "device", args: []arg{asText("id", w.urn), asText("deviceModel", w.model)}}},
		children:   []*node{{name: "MQTT", hasBody: true, children: []*node{capability}}}})
}

const leaveOut = "leave it out to export the flow"

func (ex *exporter) deviceAction(of, name string, a device.ActionModel, types *payloadTypes) *node {
	what := "the action " + name + " of " + of
	if a.Token != "" {
		ex.refuse(ex.d.Pos, leaveOut, "token: %s, of %s", a.Token, what)
	}
	if a.Retain {
		ex.refuse(ex.d.Pos, leaveOut, "retain, of %s", what)
	}
	request := &node{name: "Request", args: []arg{asText("topic", runtimeTopic(a.Topic))}, hasBody: true}
	values, isObject := a.Request.(map[string]any)
	switch {
	case a.IsText():
		request.children = []*node{{name: "params", hasBody: true, children: []*node{ex.bareParam(what, a.Request, a.Params)}}}
	case isObject && len(values) == 0 && len(a.Params) > 0:
		ex.refuse(ex.d.Pos, "take the params out too", "a request without its params, of %s", what)
	case len(values) > 0:
		request.children = []*node{{name: "params", hasBody: true, children: ex.paramValues(what, values, a.Params)}}
	}
	publish := &node{name: "Publish", hasBody: true, children: []*node{request}}
	if a.Answer != "" {
		publish.children = append(publish.children, &node{name: "Response", args: []arg{asText("topic", runtimeTopic(a.Answer))}, hasBody: true, children: types.response(name, a.Result)})
	}
	n := &node{name: "Action", args: []arg{asText("name", name)}, hasBody: true}
	if len(a.Params) > 0 {
		n.children = append(n.children, types.params(a.Params))
	}
	n.children = append(n.children, publish)
	return n
}

// runtimeTopic writes a topic with the thing's name in it as Things Graph does.
func runtimeTopic(topic string) string {
	if !strings.Contains(topic, "{thing}") {
		return topic
	}
	return "$macro(" + strings.ReplaceAll(topic, "{thing}", "${systemRuntime.deviceId}") + ")"
}

// service writes a web service: its requests, and the functions that ran at AWS.
func (ex *exporter) service(m flow.ServiceModel) []*node {
	name := plainName(m.ID)
	types := &payloadTypes{ex: ex, of: name}
	if len(m.Secrets) > 0 {
		ex.refuse(ex.d.Pos, leaveOut, "secrets, of %s", m.ID)
	}
	protocols := map[string]*node{}
	for _, key := range slices.Sorted(maps.Keys(m.Actions)) {
		protocol, action := ex.serviceAction(m.ID, key, m.Actions[key], types)
		if protocols[protocol] == nil {
			protocols[protocol] = &node{name: name, hasBody: true, args: []arg{asText("id", made("Capability", name))}}
		}
		protocols[protocol].children = append(protocols[protocol].children, action)
	}
	n := &node{keyword: "query", name: name, hasBody: true,
		directives: []directive{{name: "service", args: []arg{asText("id", ex.services[strings.ToLower(m.ID)].urn)}}}}
	for _, protocol := range slices.Sorted(maps.Keys(protocols)) {
		n.children = append(n.children, &node{name: protocol, hasBody: true, children: []*node{protocols[protocol]}})
	}
	return append(types.nodes, n)
}

// What [Documents.describeServiceAction] says of requests that cannot be sent as they
// are.
var (
	functionForm = regexp.MustCompile(`^a (Greengrass )?Lambda function, ([A-Za-z0-9_-]+),$`)
	signedForm   = regexp.MustCompile(`^signed by AWS \((\w+)\)$`)
)

func (ex *exporter) serviceAction(of, name string, a flow.ServiceAction, types *payloadTypes) (protocol string, n *node) {
	what := "the action " + name + " of " + of
	n = &node{name: "Action", args: []arg{asText("name", name)}, hasBody: true}
	if len(a.Params) > 0 {
		n.children = append(n.children, types.params(a.Params))
	}
	request := &node{name: "Request", hasBody: true}
	call := &node{name: "Http" + a.Method[:1] + strings.ToLower(a.Method[1:]), hasBody: true}
	protocol, body := "REST", "bodyParams"
	function, signed := functionForm.FindStringSubmatch(a.Cloud), signedForm.FindStringSubmatch(a.Cloud)
	switch {
	case function != nil && a.URL == "":
		protocol, body = "AwsLambda", "params"
		call.name = "InvokeCloudLambda"
		if function[1] != "" {
			call.name = "InvokeGreengrassLambda"
		}
		request.args = []arg{asText("arn", "arn:aws:lambda:REGION:ACCOUNT_ID:function:"+function[2])}
	case a.Cloud == "" || signed != nil:
		request.args = []arg{asText("url", ex.requestText(what, a.URL, a.Params))}
		if signed != nil {
			request.args = append(request.args, asText("auth", signed[1]))
		}
	default:
		ex.refuse(ex.d.Pos, "write its url", "cloud: %s, of %s", a.Cloud, what)
	}
	part := func(name string, values []*node) {
		if len(values) > 0 {
			request.children = append(request.children, &node{name: name, hasBody: true, children: values})
		}
	}
	part("headerParams", ex.paramValues(what, a.Header, a.Params))
	part("queryParams", ex.paramValues(what, a.Query, a.Params))
	switch {
	case a.Text != "":
		part(body, []*node{ex.bareParam(what, a.Text, a.Params)})
	case a.Body != nil && len(a.Body) == 0 && function == nil:
		ex.refuse(ex.d.Pos, leaveOut, "an empty body, of %s", what)
	default:
		part(body, ex.paramValues(what, a.Body, a.Params))
	}
	call.children = []*node{request}
	if response := types.response(name, a.Result); len(response) > 0 {
		call.children = append(call.children, &node{name: "Response", hasBody: true, children: response})
	}
	n.children = append(n.children, call)
	return protocol, n
}

// paramValues write what the keys of a request hold.
func (ex *exporter) paramValues(what string, values map[string]any, params map[string]device.ValueType) []*node {
	var out []*node
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out = append(out, &node{name: "param", args: []arg{asText("name", key), {name: "value", value: ex.requestValue(what, values[key], params)}}})
	}
	return out
}

// bareParam is a request that is one text: a param without a name.
func (ex *exporter) bareParam(what string, v any, params map[string]device.ValueType) *node {
	text, isText := v.(string)
	if !isText {
		text = ex.requestValue(what, v, params).text
	}
	return &node{name: "param", args: []arg{asText("name", ""), asText("value", ex.requestText(what, text, params))}}
}

func (ex *exporter) requestValue(what string, v any, params map[string]device.ValueType) value {
	switch v := v.(type) {
	case string:
		return value{kind: textValue, text: ex.requestText(what, v, params)}
	case uint64:
		return value{kind: intValue, text: strconv.FormatUint(v, 10)}
	case int:
		return value{kind: intValue, text: strconv.Itoa(v)}
	case nil, bool, int64, float64:
		return ex.value(ex.d.Pos, flow.Value{Literal: v})
	}
	ex.refuse(ex.d.Pos, "write it as text", "a list or an object within the request of %s", what)
	return value{kind: nameValue, text: "null"}
}

// requestText writes a text with ${name}: in Things Graph a param is an object that
// holds its value, ${name.value}.
func (ex *exporter) requestText(what, text string, params map[string]device.ValueType) string {
	e, err := expr.ParseText(text)
	if err != nil {
		ex.refuse(ex.d.Pos, "write text, or ${expression}", "%q, of %s: %v", shorten(text), what, err)
		return text
	}
	if plain, ok := plainText(e); ok {
		if plain != text || shorthand.MatchString(text) {
			ex.refuse(ex.d.Pos, "write other text", "text that reads as an expression: %q, of %s", shorten(text), what)
		}
		return text
	}
	return expr.New(rewrite(e.Root(), func(n expr.Node) expr.Node {
		switch n := n.(type) {
		case *expr.Name:
			if _, ok := params[n.Name]; ok {
				return &expr.Member{Of: n, Key: "value"}
			}
		case *expr.Member:
			// The param's own key value, of which Things Graph's reader makes the param.
			if of, ok := n.Of.(*expr.Member); ok && of.Key == "value" && strings.EqualFold(n.Key, "value") {
				ex.refuse(ex.d.Pos, "give the key another name", "the key value of a param, in %q, of %s", shorten(text), what)
			}
		}
		return n
	})).Text()
}

// payloadTypes are the states and properties that a device or a service needs.
type payloadTypes struct {
	ex     *exporter
	of     string
	nodes  []*node
	object bool // the property of any object is there
}

// plainTypes are the properties of Things Graph itself.
var plainTypes = map[device.ValueType]string{device.AnyType: "Json", device.StringType: "String", device.BooleanType: "Boolean", device.IntegerType: "Int64", device.NumberType: "Float64"}

// property is the URN for a type of values.
func (p *payloadTypes) property(t device.ValueType) string {
	if name, ok := plainTypes[t]; ok {
		return "urn:tdm:aws:property:" + name
	}
	if !p.object {
		p.object = true
		return p.stated("Object", nil)
	}
	return made("Property", p.of+"_Object")
}

// stated writes a state and its property, whose URN it returns.
func (p *payloadTypes) stated(name string, keys map[string]device.ValueType) string {
	name = p.of + "_" + plainName(name)
	state := &node{keyword: "type", name: name, hasBody: true, directives: []directive{{name: "stateType", args: []arg{asText("id", made("State", name))}}}}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !isGraphQLName(key) {
			p.ex.refuse(p.ex.d.Pos, "use letters, digits and _", "the key %q of a payload of %s", key, p.of)
		}
		state.children = append(state.children, &node{name: key, typ: "Value", directives: []directive{{name: "property", args: []arg{asText("id", p.property(keys[key]))}}}})
	}
	if len(keys) == 0 {
		state.children = []*node{{name: "ignore", typ: "void"}}
	}
	property := made("Property", name)
	p.nodes = append(p.nodes, state, &node{keyword: "type", name: name + "Property", hasBody: true, children: []*node{{name: "ignore", typ: "void"}},
		directives: []directive{{name: "propertyType", args: []arg{asText("id", property), asText("instanceOf", made("State", name))}}}})
	return property
}

// response is the block of a payload; none for an object of which nothing is known.
func (p *payloadTypes) response(name string, payload device.Payload) []*node {
	property := ""
	switch {
	case payload.Bare != "":
		property = p.property(payload.Bare)
	case payload.Keys != nil:
		property = p.stated(name, payload.Keys)
	default:
		return nil
	}
	return []*node{{name: "responsePayload", args: []arg{asText("property", property)}}}
}

func (p *payloadTypes) params(types map[string]device.ValueType) *node {
	n := &node{name: "params", hasBody: true}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		n.children = append(n.children, &node{name: "param", args: []arg{asText("name", name), asText("property", p.property(types[name]))}})
	}
	return n
}
