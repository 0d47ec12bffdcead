// Package openapi describes the routes of the HTTP API as an OpenAPI document (version 3.1,
// https://spec.openapis.org/oas/v3.1.0), for programs that make clients from it.
package openapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"pithings/api"
)

// Info is what the document says besides the routes.
type Info struct {
	Version string // of the program
	Cookie  string // name of that of a session
}

// Path is where the document is served.
const Path = "/api/v1/openapi.json"

// Route serves the document of routes. It is made for each request: few clients ask, and once.
func Route(info Info, routes func() []api.Route) api.Route {
	return api.Route{Method: http.MethodGet, Path: Path, For: api.Look, Doc: "describe these routes, as OpenAPI 3.1",
		Gives: map[string]any{}, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			text, err := Document(info, routes())
			if err != nil {
				api.Fail(w, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(text) // the client has gone
		})}
}

// object is one of JSON.
type object = map[string]any

// Document describes routes. Its bytes are the same for the same routes, in whatever order.
func Document(info Info, routes []api.Route) ([]byte, error) {
	paths := map[string]object{}
	var problems []error
	for i := range routes {
		r := &routes[i]
		path, _ := placeholders(r.Path)
		o, err := operation(r)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", r.Pattern(), err))
			continue
		}
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(r.Method)] = o
	}
	problem, err := schemaOf(api.Problem{})
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, fmt.Errorf("OpenAPI: %w", err)
	}
	return json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "pithings", "version": cmp.Or(info.Version, "0"),
			"summary":     "Things of a Raspberry Pi: what they measure and do, flows, queues and the configuration",
			"description": description,
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		// Relative to the document's own address, so that it holds below http.base_path, too.
		"servers": []object{{"url": "../..", "description": "the agent that serves this document"}},
		"paths":   paths,
		"components": object{
			"securitySchemes": object{
				"token":   object{"type": "http", "scheme": "bearer", "description": "made by pithings token add"},
				"session": object{"type": "apiKey", "in": "cookie", "name": info.Cookie, "description": "begun by POST /api/v1/login"},
				"csrf":    object{"type": "apiKey", "in": "header", "name": "X-CSRF-Token", "description": "of the session, from its login or GET /api/v1/session"},
			},
			"responses": object{"problem": object{
				"description": "it could not be done: status says which kind of reason, detail what to do",
				"content":     object{api.ProblemType: object{"schema": object{"$ref": "#/components/schemas/Problem"}}},
			}},
			"schemas": object{"Problem": open(problem)},
		},
	})
}

const description = `Each operation says in x-audience who may use it: docs/access.md has how one becomes that.
Operations of the audiences group and owner are on the local socket only. Programs on the agent's machine may look without a login.
An answer may get further keys in later versions: ignore those that you do not know.`

// placeholder is a part of a path that stands for any.
var placeholder = regexp.MustCompile(`\{([^}]*)\}`)

// placeholders is a pattern of http.ServeMux as a path of OpenAPI, and the names in it.
func placeholders(pattern string) (path string, names []string) {
	path = strings.TrimSuffix(pattern, "{$}")
	if path == pattern && strings.HasSuffix(path, "/") {
		path += "{name}" // all below it
	}
	path = strings.ReplaceAll(path, "...}", "}")
	for _, m := range placeholder.FindAllStringSubmatch(path, -1) {
		names = append(names, m[1])
	}
	return path, names
}

// operation describes a route.
func operation(r *api.Route) (object, error) {
	o := object{
		"operationId": id(r), "summary": r.Doc, "x-audience": r.For.String(),
		"security": security(r),
	}
	if !r.For.TCP() {
		o["servers"] = []object{{"url": "http://pithings", "description": "the local socket"}}
	}
	params, err := parameters(r)
	if err != nil {
		return nil, err
	}
	if len(params) > 0 {
		o["parameters"] = params
	}
	if r.Takes != nil {
		s, err := schemaOf(r.Takes)
		if err != nil {
			return nil, err
		}
		o["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": s}}}
	}
	good := object{"description": "done"}
	switch {
	case r.Gives != nil && r.Media != "":
		return nil, errors.New("an answer in JSON has no media type of its own")
	case r.Gives != nil:
		s, err := schemaOf(r.Gives)
		if err != nil {
			return nil, err
		}
		good["content"] = object{"application/json": object{"schema": open(s)}}
	case r.Media != "":
		good["content"] = object{r.Media: object{}}
	default:
		return nil, errors.New("what it gives is not described")
	}
	o["responses"] = object{"200": good, "default": object{"$ref": "#/components/responses/problem"}}
	return o, nil
}

// id names an operation for programs that make functions of them: getThingsNameSnapshotJpg.
func id(r *api.Route) string {
	words := strings.FieldsFunc(strings.TrimPrefix(r.Path, "/api/v1"), func(c rune) bool { return !('a' <= c && c <= 'z' || '0' <= c && c <= '9') })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	if strings.HasSuffix(r.Path, "/") { // all below it, each with a name
		words = append(words, "Name")
	}
	return strings.ToLower(r.Method) + strings.Join(words, "")
}

// security is what a client may show: any one of the list.
func security(r *api.Route) []object {
	token, session := object{"token": []string{}}, object{"session": []string{}}
	switch {
	case !r.For.TCP() || r.For == api.Anyone:
		return []object{}
	case r.Method == "GET" && !r.Changes:
		return []object{{}, token, session}
	}
	session["csrf"] = []string{}
	return []object{token, session}
}

func parameters(r *api.Route) (all []object, err error) {
	_, names := placeholders(r.Path)
	docs := map[string]api.Param{}
	for _, p := range r.Params {
		docs[p.Name] = p
	}
	for _, name := range names {
		p := docs[name]
		all = append(all, parameter("path", api.Param{Name: name, Doc: p.Doc, Type: p.Type, Required: true}))
	}
	for _, p := range r.Params {
		if slices.Contains(names, p.Name) {
			continue
		}
		if p.Doc == "" {
			err = errors.Join(err, fmt.Errorf("the parameter %s has no words", p.Name))
		}
		all = append(all, parameter("query", p))
	}
	return all, err
}

func parameter(in string, p api.Param) object {
	o := object{"name": p.Name, "in": in, "required": p.Required, "schema": &jsonschema.Schema{Type: cmp.Or(p.Type, "string")}}
	if p.Doc != "" {
		o["description"] = p.Doc
	}
	return o
}
