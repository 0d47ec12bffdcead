package agent

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"pithings/agent/openapi"
)

// document is what an agent says of its routes.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string           `json:"operationId"`
		Summary     string           `json:"summary"`
		Audience    string           `json:"x-audience"`
		Servers     []map[string]any `json:"servers"`
		Responses   map[string]struct {
			Content map[string]struct {
				Schema *jsonschema.Schema `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
}

// asked is a client of an agent's local socket.
func asked(t *testing.T, a *Agent) func(path string) (*http.Response, []byte) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", a.folder.Socket())
	}}}
	t.Cleanup(client.CloseIdleConnections)
	return func(path string) (*http.Response, []byte) {
		t.Helper()
		answer, err := client.Get("http://pithings" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, text
	}
}

// The document has every route of the agent and no other.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	a := everything(t)
	routes, err := a.routes()
	if err != nil {
		t.Fatal(err)
	}
	text, err := openapi.Document(openapi.Info{}, routes)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	described := 0
	for path, operations := range d.Paths {
		for method, o := range operations {
			described++
			if other, taken := ids[o.OperationID]; taken {
				t.Errorf("%s %s and %s have the id %s", method, path, other, o.OperationID)
			}
			ids[o.OperationID] = method + " " + path
		}
	}
	for i := range routes {
		r := &routes[i]
		path := strings.TrimSuffix(r.Path, "{$}")
		if path == r.Path && strings.HasSuffix(path, "/") {
			path += "{name}"
		}
		o, ok := d.Paths[path][strings.ToLower(r.Method)]
		if !ok || o.Summary != r.Doc || o.Audience != r.For.String() || (len(o.Servers) == 0) != r.For.TCP() {
			t.Errorf("%s: %t, %+v", r.Pattern(), ok, o)
		}
	}
	if described != len(routes) {
		t.Errorf("%d operations of %d routes", described, len(routes))
	}
}

// What an agent answers is what the document says, and has no key that it does not. Those that need
// more than an agent has here are left to the tests of their own packages.
func TestAnswersAreAsDescribed(t *testing.T) {
	a := newAgent(t, t.TempDir())
	runAgent(t, a)
	ask := asked(t, a)
	_, text := ask(openapi.Path)
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	params := strings.NewReplacer("{name}", "b", "{thing}", "b")
	query := map[string]string{"/api/v1/reading": "?bus=1&address=0"}
	compared := map[string]bool{}
	for path, operations := range d.Paths {
		o, ok := operations["get"]
		schema := o.Responses["200"].Content["application/json"].Schema
		if !ok || schema == nil {
			continue
		}
		answer, text := ask(params.Replace(path) + query[path])
		if answer.StatusCode != http.StatusOK {
			if answer.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %s %s", path, answer.Status, text)
			}
			continue
		}
		resolved, err := closed(schema).Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if err := resolved.Validate(v); err != nil {
			t.Errorf("%s: %v: %s", path, err, text)
		}
		compared[path] = true
	}
	for _, path := range []string{"/healthz", "/api/v1/agent", "/api/v1/things", "/api/v1/reading", "/api/v1/connections", "/api/v1/flows", "/api/v1/session"} {
		if !compared[path] {
			t.Errorf("%s is not compared", path)
		}
	}
}

// closed lets objects have no further keys.
func closed(s *jsonschema.Schema) *jsonschema.Schema {
	if s == nil {
		return nil
	}
	if len(s.Properties) > 0 {
		s.AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{}}
	}
	for _, p := range s.Properties {
		closed(p)
	}
	closed(s.Items)
	if len(s.Properties) == 0 {
		closed(s.AdditionalProperties)
	}
	return s
}

// The document is one of OpenAPI 3.1, by the schema of its authors
// (https://spec.openapis.org/oas/3.1/schema/2026-08-03, Apache-2.0).
func TestDocumentIsOpenAPI(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("openapi", "testdata", "openapi-3.1.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema := new(jsonschema.Schema)
	if err := json.Unmarshal(text, schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	routes, err := everything(t).routes()
	if err != nil {
		t.Fatal(err)
	}
	if text, err = openapi.Document(openapi.Info{Version: "1.2.3", Cookie: "c"}, routes); err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(v); err != nil {
		t.Error(err)
	}
	// The schema sees what is wrong.
	for name, spoil := range map[string]func(){
		"openapi": func() { v["openapi"] = "3.0.0" },
		"paths":   func() { v["paths"].(map[string]any)["things"] = map[string]any{} },
		"method":  func() { v["paths"].(map[string]any)["/api/v1/things"].(map[string]any)["get"] = "x" },
	} {
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		spoil()
		if resolved.Validate(v) == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
