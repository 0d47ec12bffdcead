package tdm

import "strings"

// httpMethods are the blocks of a REST action.
var httpMethods = map[string]string{"httpget": "GET", "httppost": "POST", "httpput": "PUT", "httpdelete": "DELETE", "httppatch": "PATCH"}

// service reads a query with @service.
func (l *library) service(r *reader, n *node, d directive) {
	a := r.attrs("@service", d.pos, d.args, "id", "name", "description", "serviceModel", "capability")
	s := &service{id: a.urn("id"), pos: n.pos, name: n.name, actions: map[string]*serviceAction{}}
	for _, protocol := range n.children {
		if protocol.filler() {
			continue
		}
		rest := protocol.is("REST")
		if !rest && !protocol.is("AwsLambda") {
			r.problems.add(protocol.pos, "write REST { … } or AwsLambda { … }", "service %s: unknown protocol %s", n.name, protocol.name)
			continue
		}
		r.bare(protocol)
		for _, c := range protocol.children {
			r.attrs("capability "+c.name, c.pos, c.args, "id").urn("id")
			r.untyped(c)
			for _, act := range c.children {
				if !act.is("action") {
					r.unknown(act, "a capability's block", "Action")
					continue
				}
				r.serviceAction(s, act, rest)
			}
		}
	}
	if len(n.children) == 0 {
		r.problems.add(n.pos, "write REST { … } or AwsLambda { … }", "service %s has no protocol", n.name)
	}
	put(r, l.services, s.id, n.pos, s)
}

func (r *reader) serviceAction(s *service, n *node, rest bool) {
	act := &serviceAction{pos: n.pos, name: r.attrs("Action", n.pos, n.args, "name").need("name")}
	r.untyped(n)
	if key := strings.ToLower(act.name); s.actions[key] != nil {
		r.problems.add(n.pos, "keep one of them", "service %s has the action %s twice", s.name, act.name)
	} else {
		s.actions[key] = act
	}
	calls, before := 0, r.problems.count()
	for _, c := range n.children {
		method, isHTTP := httpMethods[strings.ToLower(c.name)]
		switch {
		case c.is("params"):
			r.bare(c)
			act.params = r.params(c, false)
		case rest && isHTTP:
			calls++
			act.method = method
			r.bare(c)
			r.call(act, c, true)
		case !rest && (c.is("InvokeCloudLambda") || c.is("InvokeGreengrassLambda")):
			calls++
			act.greengrass = c.is("InvokeGreengrassLambda")
			r.bare(c)
			r.call(act, c, false)
		case c.filler():
		case rest:
			r.unknown(c, "Action "+act.name, "params", "HttpGet", "HttpPost", "HttpPut", "HttpPatch", "HttpDelete")
		default:
			r.unknown(c, "Action "+act.name, "params", "InvokeCloudLambda", "InvokeGreengrassLambda")
		}
	}
	if calls != 1 && r.problems.count() == before {
		r.problems.add(n.pos, "write one HttpGet, HttpPost or InvokeCloudLambda", "Action %s has %d requests", act.name, calls)
	}
}

// call reads Request and Response of one HTTP method or Lambda function.
func (r *reader) call(act *serviceAction, n *node, rest bool) {
	request := false
	for _, c := range n.children {
		switch {
		case c.is("request"):
			request = true
			r.untyped(c)
			if rest {
				a := r.attrs("Request", c.pos, c.args, "url", "auth", "awsServiceName")
				act.url, act.urlAt, act.auth, act.awsName = a.need("url"), a.at("url"), a.text("auth"), a.text("awsServiceName")
			} else {
				a := r.attrs("Request", c.pos, c.args, "arn")
				act.arn, act.urlAt = a.need("arn"), a.at("arn")
			}
			for _, p := range c.children {
				switch {
				case p.filler():
				case rest && p.is("headerParams"):
					r.bare(p)
					act.header = r.params(p, true)
				case rest && p.is("queryParams"):
					r.bare(p)
					act.query = r.params(p, true)
				case rest && p.is("bodyParams"), !rest && p.is("params"):
					r.bare(p)
					act.body = r.params(p, true)
				case rest:
					r.unknown(p, "Request", "headerParams", "queryParams", "bodyParams")
				default:
					r.unknown(p, "Request", "params")
				}
			}
		case c.is("response"):
			r.bare(c)
			act.result = r.responsePayload("Response", c)
		case !c.filler():
			r.unknown(c, n.name, "Request", "Response")
		}
	}
	if !request {
		r.problems.add(n.pos, "write Request(…) { … }", "Action %s has no request", act.name)
	}
}
