package config

import (
	"slices"
	"strings"
	"testing"

	"pithings/conf"
)

// hallHash is that of "secret", by mosquitto_passwd 2.0.11.
const hallHash = "$7$101$lAjhlQno9f2iiIGb$DS5G3MqEhKeAEAz/wM7SpSGiJKptQCO6W+g7hosTyZaHVVts131CTQF6HLkyt9LlkPtLMuotLbOhOwRufSYOxw=="

// A broker for the network without a login is refused, with the lines that mend it;
// with any of them it is not.
func TestNetworkBrokerWithoutLoginIsRefusedWithWhatMendsIt(t *testing.T) {
	const things = "\nthings: [{name: x, type: camera}]\n"
	for name, row := range map[string]struct {
		broker string
		want   string // a part of the message; empty: accepted
	}{
		"open":        {`{listen: "0.0.0.0:1883"}`, "allow_anonymous: true"},
		"open, users": {`{listen: "0.0.0.0:1883"}`, "users: [{name: NAME, password_hash: HASH}]"},
		"encrypted":   {`{listen: ":8883", tls: {cert: a, key: b}}`, "nothing asks them for a password"},
		"anonymous":   {`{listen: ":1883", allow_anonymous: true}`, ""},
		"users":       {`{listen: ":1883", users: [{name: hall, password_hash: ` + hallHash + `}]}`, ""},
		"file":        {`{listen: ":1883", users: [{name: hall, password_file: hall.hash}]}`, ""},
		"certs":       {`{listen: ":8883", tls: {cert: a, key: b, client_ca: c}}`, ""},
		"loopback":    {`{listen: "127.0.0.1:1883"}`, ""},

		"half a pair":       {`{listen: ":1883", tls: {cert: a}}`, "cert and key belong together"},
		"client_ca alone":   {`{listen: ":1883", tls: {client_ca: a}}`, "client certificates need encryption"},
		"no name":           {`{listen: ":1883", users: [{password_hash: ` + hallHash + `}]}`, "a user has no name"},
		"twice":             {`{listen: ":1883", users: [{name: a, password_file: x}, {name: a, password_file: y}]}`, "is there twice"},
		"no password":       {`{listen: ":1883", users: [{name: a}]}`, "neither password_hash nor password_file"},
		"two passwords":     {`{listen: ":1883", users: [{name: a, password_file: x, password_hash: ` + hallHash + `}]}`, "give one"},
		"no hash":           {`{listen: ":1883", users: [{name: a, password_hash: hunter2}]}`, "hash-password"},
		"no filter":         {`{listen: ":1883", users: [{name: a, password_hash: ` + hallHash + `, publish: ["a/#/b"]}]}`, "not a topic filter"},
		"anonymous no use":  {`{listen: ":1883", users: [{name: anonymous, publish: [a]}]}`, "allow_anonymous: true"},
		"misspelt":          {`{listen: ":1883", users: [{name: a, subscribed: [a]}]}`, `did you mean "subscribe"`},
		"too little memory": {`{listen: ":1883", max_memory: 1MiB}`, "from 4MiB"},
	} {
		_, _, err := Parse("c.yaml", []byte("broker: "+row.broker+things), nil)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v, want %q", name, err, row.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: %v quotes a password", name, err)
		}
	}
}

// The lines that mend it are lines: people copy them.
func TestFurtherLinesOfAMessageStayLines(t *testing.T) {
	_, _, err := Parse("c.yaml", []byte("broker: {listen: \"0.0.0.0:1883\"}\nthings: [{name: x, type: camera}]"), nil)
	if err == nil || !strings.Contains(err.Error(), "\n  users: [") || !strings.Contains(err.Error(), "\n  allow_anonymous: true ") {
		t.Errorf("%v", err)
	}
	// A line of another program's file is no line of ours.
	p := conf.Problem{Source: "c.yaml", Message: "unknown key \"x\ny\r\x1b[2J\""}
	if got := p.String(); strings.ContainsAny(got, "\n\r\x1b") {
		t.Errorf("%q", got)
	}
}

// No list of topics means all of them, an empty one none.
func TestListsOfTopics(t *testing.T) {
	c, _, err := Parse("c.yaml", []byte(`broker: {listen: ":1883", allow_anonymous: true, users: [{name: a, password_hash: `+hallHash+`, publish: [], subscribe: [x/#]}, {name: b, password_hash: `+hallHash+`}]}
things: [{name: x, type: camera}]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := c.Broker.Users[0], c.Broker.Users[1]
	if a.Publish == nil || len(a.Publish) != 0 || !slices.Equal(a.Subscribe, []string{"x/#"}) || b.Publish != nil || b.Subscribe != nil {
		t.Errorf("a %#v %#v, b %#v %#v", a.Publish, a.Subscribe, b.Publish, b.Subscribe)
	}
}
