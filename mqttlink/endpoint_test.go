package mqttlink

import (
	"strings"
	"testing"
	"unicode"
)

func TestParseEndpoint(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"mqtt://127.0.0.1", "mqtt://127.0.0.1:1883"},
		{"mqtt://broker.local:1884/", "mqtt://broker.local:1884"},
		{"tcp://broker", "mqtt://broker:1883"},
		{"MQTTS://abc-ats.iot.eu-west-1.amazonaws.com", "mqtts://abc-ats.iot.eu-west-1.amazonaws.com:8883"},
		{"ssl://broker:443", "mqtts://broker:443"},
		{"mqtt://[::1]:1883", "mqtt://[::1]:1883"},
		{"mqtt://[fe80::1%25eth0]", "mqtt://[fe80::1%eth0]:1883"},
		{"ws://broker", "ws://broker:80/mqtt"},
		{"wss://broker/path?X-Amz-Signature=secret", "wss://broker:443/path"},
	} {
		e, err := ParseEndpoint(tt.in)
		if err != nil || e.String() != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.in, e, err, tt.want)
		}
	}
	if e, _ := ParseEndpoint("wss://broker/path?X-Amz-Signature=secret"); e.url() != "wss://broker:443/path?X-Amz-Signature=secret" {
		t.Errorf("the query is lost: %s", e.url())
	}
	for host, want := range map[string]bool{"mqtt://127.0.0.1": true, "mqtt://[::1]": true, "mqtt://LOCALHOST": true, "mqtt://192.168.1.2": false, "mqtt://broker": false} {
		if e, err := ParseEndpoint(host); err != nil || e.Loopback() != want {
			t.Errorf("%s: loopback %v, %v", host, e.Loopback(), err)
		}
	}
}

func TestBadEndpoints(t *testing.T) {
	for _, tt := range []struct{ in, say string }{
		{"", "no endpoint"},
		{"broker.local", "mqtts://broker.local"},
		{"broker:1883", "has no scheme"},
		{"http://broker", `"http" is not known`},
		{"mqtt://", "names no host"},
		{"mqtt://:1883", "names no host"},
		{"mqtt://broker:0", "1 to 65535"},
		{"mqtt://broker:99999", "1 to 65535"},
		{"mqtt://broker:abc", "cannot be read"},
		{"mqtt://user:secret@broker", "user name"},
		{"mqtt://user:sec%ret@broker", "cannot be read"},
		{"mqtt://broker/topic", "path"},
		{"mqtt://bro ker", "cannot be read"},
		{"mqtt://bro*ker", "neither a name nor an address"},
		{"mqtt://broker#x", "#"},
		{"mqtt://" + strings.Repeat("x", 300), "neither a name nor an address"},
		{strings.Repeat("x", 5000), "5000 characters"},
	} {
		_, err := ParseEndpoint(tt.in)
		if err == nil {
			t.Errorf("%q was accepted", tt.in)
			continue
		}
		wantFault(t, err, BadEndpoint, tt.say)
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec%ret") {
			t.Errorf("a password is printed: %v", err)
		}
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"mqtt://127.0.0.1", "wss://h/p?q", "mqtt://[::1]:1", "mqtt://u:p@h", "broker", "mqtt://h:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEndpoint(s)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) || len(err.Error()) > 700 {
				t.Errorf("%q: not a line for a log: %q", s, err)
			}
			return
		}
		if e.Host == "" || e.Port == 0 {
			t.Errorf("%q: %+v", s, e)
		}
		if strings.Contains(e.Host, "%") { // a zone is escaped in a URL only
			return
		}
		again, err := ParseEndpoint(e.url())
		if err != nil || again != e {
			t.Errorf("%q: %+v, printed and read again %+v, %v", s, e, again, err)
		}
	})
}
