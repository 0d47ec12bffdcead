package playground

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// fake is a device that notes what is asked of it.
type fake struct{ did []string }

func (f *fake) Title() string { return "dev-QAUE" }

func (f *fake) Config(_ context.Context, c *Config) error {
	text := fmt.Sprintf("time %v", c.Time)
	if c.Defender != nil {
		text += fmt.Sprintf(", Defender %v", *c.Defender)
	}
	text += fmt.Sprintf(", topic %q, payload %s", c.Topic, c.Payload)
	if c.Clean != nil {
		text += fmt.Sprintf(", clean %v", *c.Clean)
	}
	f.did = append(f.did, text+fmt.Sprintf(", reconnect %v", c.Reconnect))
	if c.Topic == "too/much" {
		return errors.New("that is too much")
	}
	return nil
}

func (f *fake) Act(_ context.Context, action string) error {
	f.did = append(f.did, "act "+action)
	return nil
}

func (f *fake) Press(_ context.Context, on bool) error {
	f.did = append(f.did, fmt.Sprintf("press %v", on))
	if !on {
		return errors.New("a device of type generic has no button")
	}
	return nil
}

func (f *fake) Read(_ context.Context, what View) (any, error) {
	switch what {
	case Home:
		return map[string]any{"name": "dev-QAUE", "type": "generic"}, nil
	case Shadow:
		return json.RawMessage(`{"state":{"desired":{"debug":"off","x":"<script>alert(1)</script>"}}}`), nil
	case Log:
		return nil, errors.New("there is no log")
	case Cert:
		return "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", nil
	}
	return "the " + string(what), nil
}

// Every route with what it answers, for programs and for browsers.
func TestTranscript(t *testing.T) {
	const form, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	for _, tc := range []struct{ name, accept string }{{"json", "*/*"}, {"html", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}} {
		var b strings.Builder
		for _, r := range []struct{ method, url, kind, body string }{
			{"GET", "/", "", ""},
			{"GET", "/config", "", ""},
			{"GET", "/config?time=1", "", ""},
			{"GET", "/config?time=5&ddm_sr=300&topic=newtopic/{}&payload=%7B%22temp%22%3A31%7D", "", ""},
			{"POST", "/config", form, "fsampling=7&ddm_sr=&ftopic=&fpayload="},
			{"POST", "/config", form, "fsampling=&ddm_sr=0&ftopic=a%2Fb&fpayload=%7B%7D"},
			{"GET", "/config?reconnect", "", ""},
			{"GET", "/config?clean", "", ""},
			{"GET", "/config?clean=false&reconnect", "", ""},
			{"GET", "/config?time=soon", "", ""},
			{"GET", "/config?time=0", "", ""},
			{"GET", "/config?time=5&topic=a/%23", "", ""},
			{"GET", "/config?topic=too/much", "", ""},
			{"GET", "/config?payload=[1]", "", ""},
			{"GET", "/config?clean=perhaps", "", ""},
			{"GET", "/config?topic=%zz", "", ""},
			{"POST", "/actions", form, "action=tamper"},
			{"POST", "/actions", parts, "--x\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\nlarge\r\n--x--\r\n"},
			{"POST", "/actions", form, "action=explode"},
			{"POST", "/actions?action=tamper", form, ""},
			{"GET", "/actions", "", ""},
			{"GET", "/press_on", "", ""},
			{"GET", "/press_off", "", ""},
			{"GET", "/name", "", ""},
			{"GET", "/endpoint", "", ""},
			{"GET", "/cert", "", ""},
			{"GET", "/shadow", "", ""},
			{"GET", "/log", "", ""},
			{"GET", "/help", "", ""},
			{"GET", "/key", "", ""},
			{"POST", "/name", form, ""},
			{"HEAD", "/press_on", "", ""},
		} {
			if tc.name == "html" && !strings.Contains(" / /config?time=1 /actions /shadow /cert ", " "+r.url+" ") {
				continue
			}
			f := &fake{}
			req := httptest.NewRequest(r.method, "http://127.0.0.1:8080/devices/dev-QAUE"+r.url, strings.NewReader(r.body))
			req.Header.Set("Accept", tc.accept)
			if r.kind != "" {
				req.Header.Set("Content-Type", r.kind)
			}
			w := httptest.NewRecorder()
			Serve(w, req, "/devices/dev-QAUE", strings.TrimPrefix(req.URL.Path, "/devices/dev-QAUE"), f)
			fmt.Fprintf(&b, "%s %s %s\n", r.method, r.url, strings.ReplaceAll(r.body, "\r\n", " "))
			for _, did := range f.did {
				fmt.Fprintf(&b, "   > %s\n", did)
			}
			fmt.Fprintf(&b, "   %d %s\n", w.Code, w.Header().Get("Content-Type"))
			for _, line := range strings.Split(strings.TrimSpace(w.Body.String()), "\n") {
				fmt.Fprintf(&b, "   %s\n", line)
			}
		}
		golden(t, tc.name+".txt", b.String())
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if that is right, run the test with -update\n%s", file, got)
	}
}

// Nothing that comes from outside is put into a page as it is, and pages load and run nothing.
func TestPagesAreEscaped(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	req := httptest.NewRequest("GET", "/config?topic=too/much", nil)
	req.URL.RawQuery = "time=" + `%22%3E%3Cscript%3Ealert(1)%3C/script%3E`
	req.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	Serve(w, req, "/devices/"+evil, "/config", &fake{})
	if body := w.Body.String(); strings.Contains(body, "<script") || !strings.Contains(body, "&lt;script&gt;") {
		t.Error(body)
	}
	for name, part := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if !strings.Contains(w.Header().Get(name), part) {
			t.Errorf("%s: %q", name, w.Header().Get(name))
		}
	}
}

// A body is read as far as it may be long.
func TestLongForms(t *testing.T) {
	f := &fake{}
	req := httptest.NewRequest("POST", "/config", strings.NewReader("fsampling=5&x="+strings.Repeat("x", maxForm)))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	Serve(w, req, "", "/config", f)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "too large") || len(f.did) > 0 {
		t.Errorf("%d %s, %q", w.Code, w.Body, f.did)
	}
}
