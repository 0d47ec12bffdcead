package tdm

import (
	"fmt"
	"regexp"
	"strings"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/expr"
)

// describeService turns a service into the model by which it is called.
func (d *Documents) describeService(r *reader, s *service) flow.ServiceModel {
	m := flow.ServiceModel{ID: s.id.text, Actions: map[string]flow.ServiceAction{}}
	for _, a := range sorted(s.actions, func(a *serviceAction) Pos { return a.pos }) {
		m.Actions[a.name] = d.describeServiceAction(r, s, a)
	}
	return m
}

func (d *Documents) describeServiceAction(r *reader, s *service, a *serviceAction) flow.ServiceAction {
	m := flow.ServiceAction{Method: a.method}
	for _, p := range a.params {
		if m.Params == nil {
			m.Params = map[string]device.ValueType{}
		}
		m.Params[p.name] = d.valueType(r, p.property, p.pos)
	}
	m.Result = d.payload(r, a.result, a.pos)
	m.Header = d.request(r, a.header, a.params)
	m.Query = d.request(r, a.query, a.params)
	if text, bare := d.bareRequest(r, a.body, a.params); bare {
		m.Text = text
	} else {
		m.Body = d.request(r, a.body, a.params)
	}
	switch {
	case a.method == "":
		m.Method = "POST"
		if m.Body == nil && m.Text == "" { // a function's event is an object always
			m.Body = map[string]any{}
			for name := range m.Params {
				m.Body[name] = "${" + name + "}"
			}
		}
		m.Cloud = fmt.Sprintf("a Lambda function, %s,", arnName(a.arn))
		if a.greengrass {
			m.Cloud = fmt.Sprintf("a Greengrass Lambda function, %s,", arnName(a.arn))
		}
	case a.auth != "" && !strings.EqualFold(a.auth, "none"):
		m.URL = r.serviceURL(s, a)
		m.Cloud = fmt.Sprintf("signed by AWS (%s)", a.auth)
	default:
		m.URL = r.serviceURL(s, a)
	}
	return m
}

// arnName is a function's name in its ARN.
func arnName(arn string) string {
	parts := strings.Split(strings.TrimSuffix(arn, ")"), ":")
	for i, p := range parts {
		if p == "function" && i+1 < len(parts) {
			return parts[i+1]
		}
	}
	return shorten(arn)
}

var systemConfig = regexp.MustCompile(`(?i)\$\{\s*systemConfig\s*\.\s*(awsRegion|awsAccountId|accountId)\s*\}`)

// region is a namespace with region and account: eu-west-1/123456789012/default.
var region = regexp.MustCompile(`^([a-z]{2}-(?:gov-)?[a-z]{4,9}-[0-9]{1,3})/([0-9]+)/`)

// serviceURL is the request's URL with ${name} for parameters. Region and
// account are those of the service's own URN.
func (r *reader) serviceURL(s *service, a *serviceAction) string {
	m := region.FindStringSubmatch(s.id.namespace)
	url := systemConfig.ReplaceAllStringFunc(a.url, func(ref string) string {
		switch {
		case m == nil:
			return strings.ToUpper(systemConfig.FindStringSubmatch(ref)[1])
		case strings.Contains(strings.ToLower(ref), "region"):
			return m[1]
		}
		return m[2]
	})
	e := r.text(url, a.urlAt)
	if e == nil {
		return ""
	}
	e = expr.New(rewrite(e.Root(), func(n expr.Node) expr.Node { return ownValue(n, a.params) }))
	for _, name := range e.Variables() {
		if declared(a.params, name) == "" {
			r.problems.add(a.urlAt, "known are the parameters of the action, as ${name.value}, and systemConfig", "url %q uses %s", shorten(a.url), name)
		}
	}
	if text, plain := plainText(e); plain {
		if lower := strings.ToLower(text); !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") {
			r.problems.add(a.urlAt, "write https://HOST/PATH", "url %q is none", shorten(a.url))
		}
		return text
	}
	return e.Text()
}
