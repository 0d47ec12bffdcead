package endpoint

import (
	"errors"
	"strings"
	"testing"
	"unicode"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"mqtt://127.0.0.1", "mqtt://127.0.0.1:1883"},
		{"mqtt://broker.local:1884/", "mqtt://broker.local:1884"},
		{"tcp://broker", "mqtt://broker:1883"},
		{"MQTTS://abc-ats.iot.eu-west-1.amazonaws.com", "mqtts://abc-ats.iot.eu-west-1.amazonaws.com:8883"},
		{"ssl://broker:443", "mqtts://broker:443"},
		{"mqtt://[::1]:1883", "mqtt://[::1]:1883"},
		{"mqtt://[fe80::1%25eth0]", "mqtt://[fe80::1%eth0]:1883"},
		{"ws://broker", "ws://broker:80/mqtt"},
		{"ws://broker/", "ws://broker:80/"}, // paho.mqtt.c#1314, mongoose#3590: as it is written
		{"wss://broker:8443/?token=x", "wss://broker:8443/"},
		{"ws://[fe80::1%eth0]/mqtt", "ws://[fe80::1%eth0]:80/mqtt"},
		{"mqtt://[fe80::1%eth0]:1884", "mqtt://[fe80::1%eth0]:1884"},
		{"mqtt://fe80::1%eth0", "mqtt://[fe80::1%eth0]:1883"},
		{"mqtt://::1", "mqtt://[::1]:1883"},
		{"mqtts://2001:db8::8:800:200c:417a", "mqtts://[2001:db8::8:800:200c:417a]:8883"},
		{"tls://broker", "mqtts://broker:8883"}, {"tcps://broker", "mqtts://broker:8883"}, {"mqtt+ssl://broker:1", "mqtts://broker:1"},
		{"wss://broker/path?X-Amz-Signature=secret", "wss://broker:443/path"},
	} {
		e, err := Parse(tt.in)
		if err != nil || e.String() != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.in, e, err, tt.want)
		}
	}
	if e, _ := Parse("wss://broker/path?X-Amz-Signature=secret"); e.URL() != "wss://broker:443/path?X-Amz-Signature=secret" {
		t.Errorf("the query is lost: %s", e.URL())
	}
	if e, _ := Parse("ws://[fe80::1%eth0]/x"); e.URL() != "ws://[fe80::1%25eth0]:80/x" {
		t.Errorf("a URL with a zone: %s", e.URL())
	}
	for host, want := range map[string]bool{"mqtt://127.0.0.1": true, "mqtt://[::1]": true, "mqtt://LOCALHOST": true, "mqtt://192.168.1.2": false, "mqtt://broker": false} {
		if e, err := Parse(host); err != nil || e.Loopback() != want {
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
		{"mqtt://::1:1883", "needs brackets"},
		{"mqtt://2001:db8::1:8883", "needs brackets"},
		{"mqtt://[::1", "cannot be read"},
		{"mqtt://bro*ker", "neither a name nor an address"},
		{"mqtt://broker#x", "#"},
		{"mqtt://" + strings.Repeat("x", 300), "neither a name nor an address"},
		{strings.Repeat("x", 5000), "5000 characters"},
	} {
		_, err := Parse(tt.in)
		if err == nil {
			t.Errorf("%q was accepted", tt.in)
			continue
		}
		if !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%q: %v; want %q", tt.in, err, tt.say)
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec%ret") {
			t.Errorf("a password is printed: %v", err)
		}
	}
}

// Callers with words of their own go by the rule.
func TestRules(t *testing.T) {
	for in, want := range map[string]Rule{
		"mqtt://bro ker": Unreadable, "http://broker": Scheme, "broker": Scheme, "mqtt://u:p@broker": User, "mqtt://": Host, "mqtt://bro*ker": Host,
		"mqtt://broker:0": Port, "mqtt://::1:1883": Brackets, "mqtt://broker/topic": Rest, "ws://broker#x": Rest,
	} {
		var e *Error
		if _, err := Parse(in); !errors.As(err, &e) || e.Rule != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"mqtt://127.0.0.1", "wss://h/p?q", "mqtt://[::1]:1", "mqtt://u:p@h", "broker", "mqtt://h:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
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
		again, err := Parse(e.URL())
		if err != nil || again != e {
			t.Errorf("%q: %+v, printed and read again %+v, %v", s, e, again, err)
		}
	})
}

// FuzzEndpoint: what is taken can be dialled, and is taken again as it is printed.
func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{"mqtt://[fe80::1%eth0]:1884", "ws://broker/", "::1", "mqtt://::1:1883", "mqtt+ssl://a:1", "wss://h/p?q=[#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(e.String())
		if err != nil || again.Addr() != e.Addr() || again.Path != e.Path {
			t.Errorf("%q: %q again is %q, %v", s, e, again, err)
		}
	})
}
