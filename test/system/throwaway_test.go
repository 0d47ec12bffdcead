//go:build system

package system

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pithings/test/binary"
)

// A new kind of thing is one file in package things and one line in its list: the program that
// is built with these two has the kind everywhere.
func TestAKindIsOneFileAndOneLine(t *testing.T) {
	with := buildWith(t, filepath.Join("testdata", "throwaway.go.txt"), "throwaway.go", "throwawayKind")
	old := binary.Path
	binary.Path = with
	defer func() { binary.Path = old }()

	folder := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const broker = "broker: {listen: \"127.0.0.1:0\"}\nhttp: {listen: \"127.0.0.1:0\"}\nlog: {format: json}\n"
	file := write("counter.yaml", broker+"things:\n  - {name: c1, type: throwaway, pin: GPIO5}\n")
	wrong := write("wrong.yaml", broker+"things:\n  - {name: c1, type: throwaway, pin: GPIO5, mots: 3}\n")
	flow := write("flow.yaml", "name: Count\nthings:\n  c: c1\n  d: {thing: c2, model: throwaway}\ntrigger: {thing: c, event: counted, when: event.count == 2}\n"+
		"steps:\n  - {name: One, thing: c, action: count, input: {by: 1}}\n  - {name: Two, thing: d, action: count, input: {by: 1}}\n")
	bad := write("bad.yaml", strings.ReplaceAll(string(read(t, flow)), "action: count, input: {by: 1}}\n", "action: cuont, input: {by: 1}}\n"))

	for _, row := range []struct {
		args string
		code int
		says []string
	}{
		{"config schema", 0, []string{`"throwaway": {`, "where the throw-away counter begins again"}},
		{"config example", 0, []string{"type: throwaway", "throw-away kind of a test", "most: 7", "(1 to 99)", `count: "{thing}/count"`}},
		{"config check " + file, 0, []string{"is a good configuration"}},
		{"config check " + wrong, 1, []string{`wrong.yaml:5:45: thing "c1": unknown key "mots"; did you mean "most"?`}},
		{"config show " + file, 0, []string{"most: 7", "{thing}/counted"}},
		{"flow validate " + flow, 0, []string{"flows: Count"}},
		{"flow validate " + bad, 1, []string{`"cuont"`, "count"}},
		{"doctor --mock", 0, []string{"counter", "GPIO5"}},
		{"doctor --mock -f " + file, 0, []string{"c1", "GPIO5"}},
		{"discover --mock", 0, []string{"type: throwaway, pin: GPIO5"}},
	} {
		out, errs, code := finish(t, strings.Fields(row.args)...)
		for _, want := range row.says {
			if !strings.Contains(out+errs, want) {
				t.Errorf("%s lacks %q:\n%s%s", row.args, want, out, errs)
			}
		}
		if code != row.code {
			t.Errorf("%s: exit code %d, want %d: %s", row.args, code, row.code, errs)
		}
	}

	state := t.TempDir()
	agent := start(t, binary.Path, "run", "--mock", "-f", file, "--state", state)
	agent.await("the first report", func(line string) bool { return strings.Contains(line, `c1/counted: {"count": 0}`) })
	if out, errs, code := finish(t, "flow", "deploy", flow, "--state", state); code != 0 {
		t.Fatalf("flow deploy: %d %s%s", code, out, errs)
	}
	socket := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(state, "socket"))
	}}}
	get := func(path string) string {
		t.Helper()
		r, err := socket.Get("http://pithings" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v %s", path, r.Status, err, body)
		}
		return string(body)
	}
	if out, errs, code := finish(t, "pub", "--state", state, "-t", "c1/count", "-m", `{"by": 2}`); code != 0 {
		t.Fatalf("pub: %d %s%s", code, out, errs)
	}
	agent.await("what was counted", func(line string) bool { return strings.Contains(line, `c1/counted: {"count": 2}`) })
	agent.await("what the flow counted", func(line string) bool { return strings.Contains(line, `c1/counted: {"count": 3}`) })
	for body, want := range map[string]int{`{"by": 1}`: http.StatusOK, `{"by": "one"}`: http.StatusBadRequest, `{"to": 1}`: http.StatusBadRequest} {
		r, err := socket.Post("http://pithings/api/v1/things/c1/actions/count", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("%s: %s, want %d", body, r.Status, want)
		}
	}
	agent.await("what was counted by the API", func(line string) bool { return strings.Contains(line, `c1/counted: {"count": 4}`) })
	for path, wants := range map[string][]string{
		"/healthz":       {`"c1"`},
		"/metrics":       {`thing="c1"`},
		"/api/v1/things": {`"name":"c1"`, `"throwaway"`, `"count"`},
		"/api/v1/things/c1": {`"doc":"throw-awaykindofatest`, `"quantities":[{"name":"count","type":"integer"`,
			`"actions":{"count":{"input":[{"name":"by","type":"integer"}]}}`, `{"key":"most","value":7,`},
	} {
		for _, want := range wants {
			if got := strings.NewReplacer(" ", "", "\n", "").Replace(get(path)); !strings.Contains(got, want) {
				t.Errorf("%s lacks %s:\n%s", path, want, get(path))
			}
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// buildWith builds the program with one more file in package things, and its kind in the list.
func buildWith(t *testing.T, source, name, kind string) string {
	t.Helper()
	abs := func(path string) string {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	folder := t.TempDir()
	list := filepath.Join("..", "..", "things", "kinds.go")
	const end = "\t}\n}\n"
	kinds := strings.Replace(string(read(t, list)), end, "\t\t"+kind+",\n"+end, 1)
	changed := filepath.Join(folder, "kinds.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		abs(list): changed,
		abs(filepath.Join("..", "..", "things", name)): abs(source),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{changed: kinds, filepath.Join(folder, "overlay.json"): string(overlay)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(folder, "pithings")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(folder, "overlay.json"), "-trimpath",
		"-tags", "nethttpomithttp2", "-ldflags", "-s -w -X main.version=test", "-o", program, "pithings/cmd/pithings")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}
