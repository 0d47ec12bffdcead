package presence

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// The examples of AWS's documentation.
const (
	connectedExample = `{"clientId": "186b5", "timestamp": 1573002230757, "eventType": "connected",
 "sessionIdentifier": "a4666d2a7d844ae4ac5d7b38c9cb7967", "principalIdentifier": "12345678901234567890123456789012",
 "ipAddress": "192.0.2.0", "versionNumber": 0}`
	disconnectedExample = `{"clientId": "186b5", "timestamp": 1573002340451, "eventType": "disconnected",
 "sessionIdentifier": "a4666d2a7d844ae4ac5d7b38c9cb7967", "principalIdentifier": "12345678901234567890123456789012",
 "clientInitiatedDisconnect": true, "disconnectReason": "CLIENT_INITIATED_DISCONNECT", "versionNumber": 0}`
)

func TestExamples(t *testing.T) {
	const session, principal = "a4666d2a7d844ae4ac5d7b38c9cb7967", "12345678901234567890123456789012"
	up, err := Parse("$aws/events/presence/connected/186b5", []byte(connectedExample))
	if want := (Event{Client: "186b5", Connected: true, At: time.UnixMilli(1573002230757), Session: session, Principal: principal, Address: netip.MustParseAddr("192.0.2.0")}); err != nil || up != want {
		t.Errorf("%+v, %v", up, err)
	}
	down, err := Parse("$aws/events/presence/disconnected/186b5", []byte(disconnectedExample))
	if want := (Event{Client: "186b5", At: time.UnixMilli(1573002340451), Session: session, Principal: principal, ByClient: true, Reason: "CLIENT_INITIATED_DISCONNECT"}); err != nil || down != want {
		t.Errorf("%+v, %v", down, err)
	}
	if !down.Newer(up) || up.Newer(down) {
		t.Error("the end of a connection follows it")
	}
}

func TestRefused(t *testing.T) {
	for _, row := range []struct{ topic, payload, want string }{
		{"$aws/events/presence/connected/", connectedExample, "no topic of presence"},
		{"$aws/events/presence/gone/186b5", connectedExample, "no topic of presence"},
		{"$aws/events/subscriptions/subscribed/186b5", connectedExample, "no topic of presence"},
		{"$aws/events/presence/connected/other", connectedExample, `event of other: it is of client "186b5"`},
		{"$aws/events/presence/disconnected/186b5", connectedExample, `event of 186b5: its eventType is "connected"`},
		{"$aws/events/presence/connected/186b5", `{}`, "it is of client"},
		{"$aws/events/presence/connected/186b5", `[`, "event of 186b5: unexpected end"},
		{"$aws/events/presence/connected/186b5", strings.Replace(connectedExample, "1573002230757", "-1", 1), "no timestamp"},
		{"$aws/events/presence/connected/186b5", strings.Replace(connectedExample, `"versionNumber": 0`, `"versionNumber": -3`, 1), "its versionNumber is -3"},
		{"$aws/events/presence/connected/186b5", connectedExample + strings.Repeat(" ", MaxEvent), "at most 8192 are read"},
	} {
		if _, err := Parse(row.topic, []byte(row.payload)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.topic, err, row.want)
		}
	}
}

// Whatever the order in which events arrive, the newest of them is the same.
func TestOrder(t *testing.T) {
	begin := time.UnixMilli(1573002230757)
	event := func(version int64, connected bool, after time.Duration) Event {
		return Event{Client: "pi", Version: version, Connected: connected, At: begin.Add(after)}
	}
	inOrder := []Event{
		event(5, true, 0), event(5, false, time.Second),
		event(6, true, 900*time.Millisecond), // its clock is behind; the number counts
		event(6, false, 2*time.Minute),
		event(0, true, 3*time.Hour), // begins again
		event(0, false, 3*time.Hour+time.Second),
	}
	for i, a := range inOrder {
		for j, b := range inOrder {
			if a.Newer(b) != (i > j) {
				t.Errorf("event %d is newer than event %d: %v", i, j, a.Newer(b))
			}
		}
	}
}

func TestWatch(t *testing.T) {
	link := linktest.New()
	defer link.Close()
	events, bad := make(chan Event, 2), make(chan error, 1)
	cancel, err := Watch(link, "186b5", func(e Event) { events <- e }, func(err error) { bad <- err })
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	for topic, payload := range map[string]string{
		"$aws/events/presence/connected/186b5":    connectedExample,
		"$aws/events/presence/disconnected/186b5": "?",
		"$aws/events/presence/connected/other":    connectedExample,
	} {
		if err := link.Inject(mqttlink.Message{Topic: topic, Payload: []byte(payload)}); err != nil {
			t.Fatal(err)
		}
	}
	if e := <-events; !e.Connected {
		t.Errorf("%+v", e)
	}
	if err := <-bad; !strings.Contains(err.Error(), "event of 186b5") {
		t.Error(err)
	}
	if _, err := Watch(link, "a#", nil, nil); err == nil {
		t.Error("a wildcard inside a client id is taken")
	}
}

// FuzzParse: no message makes it fail, and an event is what its topic says.
func FuzzParse(f *testing.F) {
	f.Add("$aws/events/presence/connected/186b5", []byte(connectedExample))
	f.Add("$aws/events/presence/disconnected/186b5", []byte(disconnectedExample))
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		e, err := Parse(name, payload)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if !slices.Contains([]string{"$aws/events/presence/connected/" + e.Client, "$aws/events/presence/disconnected/" + e.Client}, name) || e.At.Year() > 9999 || e.Newer(e) {
			t.Errorf("%s: %+v", name, e)
		}
	})
}
