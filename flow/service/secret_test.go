package service

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/device"
	"pithings/flow"
)

// A service's secrets come from files of one folder: they reach the request, no
// step can put another in their place, and nothing outside the folder is read.
func TestSecretsComeFromFiles(t *testing.T) {
	server := serve(t)
	dir := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "ntfy"), "tk_1\n")
	write(filepath.Join(dir, "empty"), "\n")
	write(filepath.Join(dir, "long"), strings.Repeat("x", maxSecret+1))
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "shadow")
	write(outside, "root")
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	model := func(file string) []flow.ServiceModel {
		return []flow.ServiceModel{{ID: "ntfy", Secrets: map[string]string{"token": file}, Actions: map[string]flow.ServiceAction{
			"do": {Method: http.MethodPost, URL: server.URL + "/echo/", Header: map[string]any{"X-Key": "Bearer ${token}"}, Params: map[string]device.ValueType{"a": device.StringType}, Text: "${a}"}}}}
	}
	call := func(file string, input flow.Values) (string, error) {
		s, err := New(model(file), Options{AllowNets: loopback, Secrets: dir})
		if err != nil {
			return "", err
		}
		defer s.Close()
		v, err := s.Call(t.Context(), "ntfy", "do", input)
		if err != nil {
			return "", err
		}
		return v.(map[string]any)["key"].(string), nil
	}
	for _, input := range []flow.Values{{"a": "x"}, {"a": "x", "token": "mine"}, {"a": "x", "TOKEN": "mine"}} {
		for range 20 { // what wins among two spellings would be the map's choice
			if got, err := call("ntfy", input); got != "Bearer tk_1" || err != nil {
				t.Errorf("%v: the server sees %q, %v", input, got, err)
			}
		}
	}
	write(filepath.Join(dir, "ntfy"), "tk_2")
	if got, err := call("ntfy", flow.Values{"a": "x"}); got != "Bearer tk_2" || err != nil {
		t.Errorf("a new secret: %q, %v", got, err)
	}
	for file, says := range map[string]string{
		"none": "secret token: ", "empty": "is empty", "long": "longer than", "folder": "is no file", "link": "secret token: ",
		"../shadow": "without its folder", "": "without its folder", "/etc/shadow": "without its folder",
	} {
		if got, err := call(file, flow.Values{"a": "x"}); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "root") {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	if _, err := New(model("ntfy"), Options{AllowNets: loopback}); err == nil || !strings.Contains(err.Error(), "services.secrets") {
		t.Errorf("without a folder: %v", err)
	}
}

// A service on this machine (Home Assistant, ntfy) is refused with the key that
// opens it.
func TestRefusedAddressNamesTheKey(t *testing.T) {
	server := serve(t)
	s, err := New([]flow.ServiceModel{{ID: "x", Actions: map[string]flow.ServiceAction{"do": {Method: http.MethodGet, URL: server.URL + "/text"}, "at": {Method: http.MethodGet, URL: "${host}", Params: map[string]device.ValueType{"host": device.StringType}}}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Call(t.Context(), "x", "do", nil); err == nil || !strings.Contains(err.Error(), "such as 127.0.0.1/32: services.allow_nets in the configuration, --allow-net of flow run") {
		t.Errorf("%v", err)
	}
	if _, err := s.Call(t.Context(), "x", "at", flow.Values{"host": "http://example.invalid/"}); err == nil || !strings.Contains(err.Error(), "services.allow_hosts in the configuration, --allow-host of flow run") {
		t.Errorf("%v", err)
	}
}
