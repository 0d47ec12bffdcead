package web

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The address of a document has the host by which the client asked: a server that listens everywhere
// does not know by which of its addresses others reach it.
func TestAddressesAreReachable(t *testing.T) {
	for host, want := range map[string]string{"pi.local:8443": "https://pi.local:8443/factory/config/dev-QAUE.cfg?", "": "https://localhost:8443/factory/config/dev-QAUE.cfg?"} {
		token := NewToken("a secret of sixteen")
		s := NewFactoryServer(&shelf{}, NewGate(token), token, "https://localhost:8443")
		r := httptest.NewRequest("POST", "/factory", strings.NewReader(`{"operation":"create-device"}`))
		r.Host = host
		r.Header.Set("Authorization", "Bearer a secret of sixteen")
		w := httptest.NewRecorder()
		s.Serve(w, r)
		var c Created
		if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || !strings.HasPrefix(c.Document, want) {
			t.Errorf("%s: %s, %v", host, w.Body, err)
		}
	}
}

// shelf is a factory that has one document.
type shelf struct {
	Factory
	given int
}

func (s *shelf) Create(string) (Created, error) { return Created{Name: "dev-QAUE"}, nil }

func (s *shelf) Document(name string) ([]byte, error) {
	if s.given++; s.given > 1 {
		return nil, errors.New("given away")
	}
	return []byte(`{"device_name":"` + name + `"}`), nil
}

// The address of a document is good for an hour, at the process that made it, for that device.
func TestSignedAddresses(t *testing.T) {
	now := time.Unix(1_606_780_800, 0)
	made := func() *FactoryServer {
		s := NewFactoryServer(&shelf{}, &Gate{}, NewToken("x"), "http://127.0.0.1:8080")
		s.now = func() time.Time { return now }
		return s
	}
	s := made()
	address := s.sign(s.base, "dev-QAUE")
	if !strings.HasPrefix(address, "http://127.0.0.1:8080/factory/config/dev-QAUE.cfg?expires=1606784400&signature=") {
		t.Error(address)
	}
	get := func(s *FactoryServer, method, address, site string) int {
		r := httptest.NewRequest(method, strings.TrimPrefix(address, "http://127.0.0.1:8080"), nil)
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		w := httptest.NewRecorder()
		if !s.Serve(w, r) {
			t.Fatalf("%s is not the factory's", address)
		}
		return w.Code
	}
	for _, tc := range []struct {
		name, address string
		s             *FactoryServer
		later         time.Duration
		want          int
	}{
		{"another name", strings.Replace(address, "QAUE", "QAUF", 1), s, 0, 403},
		{"a longer time", strings.Replace(address, "expires=16067844", "expires=16067845", 1), s, 0, 403},
		{"no signature", address[:strings.Index(address, "&")], s, 0, 403},
		{"half a signature", address[:len(address)-32], s, 0, 403},
		{"no time", strings.Replace(address, "1606784400", "", 1), s, 0, 403},
		{"no .cfg", strings.Replace(address, ".cfg", "", 1), s, 0, 403},
		{"another process", address, made(), 0, 403},
		{"after an hour", address, s, time.Hour, 403},
		{"in time", address, s, time.Hour - time.Second, 200},
		{"a second time", address, s, 0, 403},
	} {
		began := now
		now = now.Add(tc.later)
		if got := get(tc.s, "GET", tc.address, ""); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
		now = began
	}
	if got := get(made(), "POST", address, ""); got != 405 {
		t.Errorf("POST: %d", got)
	}
	if got := get(s, "GET", address, "cross-site"); got != 403 {
		t.Errorf("of a page elsewhere: %d", got)
	}
	if s.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/factory2", nil)) {
		t.Error("it serves other paths")
	}
}
