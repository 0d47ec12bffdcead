// Package cloudtest has transcripts of what devices and the cloud say to each other, for all
// who test one side: over a broker in memory and over a real one. A transcript is a file of
// lines:
//
//	# from which page of the AWS documentation it is
//	> TOPIC PAYLOAD     what a device publishes
//	< TOPIC PAYLOAD     what the cloud answers, in this order
//	<~ TOPIC PAYLOAD    the same, but the answer may have further members
//	! COMMAND           what the cloud's owner does: create-job ID THING DOCUMENT,
//	                    cancel-job ID
//
// Payloads are compared as JSON. Times are not compared, nor what is random: certificates,
// keys and tokens. What an answer has under such a name is known as {NAME} in what follows.
package cloudtest

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"pithings/awsiot/cloud"
)

//go:embed transcripts/*.txt
var files embed.FS

// Options are those of a cloud with which the transcripts are played, without its client.
func Options() cloud.Options {
	return cloud.Options{ShadowRate: -1, CreateKeys: true, Templates: []cloud.Template{{
		Name: "fleet", Parameters: []string{"SerialNumber"}, ThingName: "pi-{SerialNumber}",
		Configuration: map[string]string{"interval": "60"},
		Hook: func(_ string, parameters map[string]string) error {
			if parameters["SerialNumber"] == "stolen" {
				return errors.New("it was reported as stolen")
			}
			return nil
		},
	}}}
}

// Line is one of a transcript.
type Line struct {
	Number  int
	Kind    string // ">", "<", "<~", "!"
	Topic   string // of "!": the command
	Payload string // of "!": its arguments
}

// Names are those of the transcripts.
func Names(t testing.TB) []string {
	t.Helper()
	names, err := fs.Glob(files, "transcripts/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d transcripts: %v", len(names), err)
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(n, "transcripts/"), ".txt")
	}
	return names
}

// Read reads a transcript.
func Read(t testing.TB, name string) []Line {
	t.Helper()
	text, err := files.ReadFile("transcripts/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []Line
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		l := Line{Number: i + 1}
		l.Kind, line, _ = strings.Cut(line, " ")
		l.Topic, l.Payload, _ = strings.Cut(line, " ")
		switch l.Kind {
		case ">", "<", "<~", "!":
		default:
			t.Fatalf("%s:%d: a line begins with >, <, <~, ! or #", name, l.Number)
		}
		all = append(all, l)
	}
	return all
}

// Player plays a transcript.
type Player struct {
	Publish func(topic, payload string)
	// Next returns the next message of the cloud, or fails the test.
	Next func() (topic, payload string)
	Do   func(command, arguments string) error

	known map[string]string
}

// Play plays it, and fails the test where the cloud differs.
func (p *Player) Play(t testing.TB, name string) {
	t.Helper()
	p.known = map[string]string{}
	for _, l := range Read(t, name) {
		switch l.Kind {
		case ">":
			p.Publish(l.Topic, p.fill(l.Payload))
		case "!":
			if err := p.Do(l.Topic, l.Payload); err != nil {
				t.Fatalf("%s:%d: %s %s: %v", name, l.Number, l.Topic, l.Payload, err)
			}
		default:
			topic, payload := p.Next()
			if err := p.compare(l, topic, payload); err != nil {
				t.Fatalf("%s:%d: %v", name, l.Number, err)
			}
		}
	}
}

// fill puts what earlier answers had in the place of {NAME}.
func (p *Player) fill(payload string) string {
	for name, value := range p.known {
		payload = strings.ReplaceAll(payload, "{"+name+"}", value)
	}
	return payload
}

func (p *Player) compare(l Line, topic, payload string) error {
	if topic != l.Topic {
		return fmt.Errorf("got %s %s, want it on %s", topic, payload, l.Topic)
	}
	got, err := read(payload)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", topic, payload, err)
	}
	want, err := read(l.Payload)
	if err != nil {
		return fmt.Errorf("the transcript has %s: %w", l.Payload, err)
	}
	p.learn(got)
	blank(got)
	blank(want)
	if l.Kind == "<" && !reflect.DeepEqual(got, want) || l.Kind == "<~" && !contains(got, want) {
		return fmt.Errorf("%s: got\n%s\nwant, but for times and what is random,\n%s", topic, payload, l.Payload)
	}
	return nil
}

func read(text string) (value any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	err = d.Decode(&value)
	return value, err
}

// random are members that have another value each time.
var random = map[string]bool{"certificateId": true, "certificatePem": true, "privateKey": true, "certificateOwnershipToken": true}

// times are members that have a time.
var times = map[string]bool{"timestamp": true, "queuedAt": true, "startedAt": true, "lastUpdatedAt": true, "approximateSecondsBeforeTimedOut": true}

func (p *Player) learn(value any) {
	top, _ := value.(map[string]any)
	for name, v := range top {
		if text, ok := v.(string); ok && random[name] && text != "" {
			p.known[name] = text
		}
	}
}

// blank takes away what is not compared. Its place and type stay.
func blank(value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			switch inner.(type) {
			case json.Number:
				if times[name] {
					v[name] = "a time"
				}
			case string:
				if random[name] {
					v[name] = "random"
				}
			}
			blank(v[name])
		}
	case []any:
		for _, inner := range v {
			blank(inner)
		}
	}
}

// contains reports whether got has all that want has.
func contains(got, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for name, inner := range w {
			if _, has := g[name]; !has || !contains(g[name], inner) {
				return false
			}
		}
		return ok
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !contains(g[i], w[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}
