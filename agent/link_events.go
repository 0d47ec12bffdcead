package agent

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"pithings/agent/events"
	"pithings/mqttlink"
	"pithings/quietlog"
)

// Events implements Happening.
func (l *links) Events() []events.Source {
	return []events.Source{
		{Kind: "connection", List: l.listed, Changes: l.changed.follow},
		{Kind: "message", Asked: true, Follow: l.tap},
	}
}

// Bounds of the messages among the events.
const (
	maxShownTopic   = 1024 // bytes
	maxShownPayload = 4096
	shownAtOnce     = 200 // messages, and then
	shownASecond    = 50
)

// passedMessage is a message that has passed through a connection, for those who may look.
type passedMessage struct {
	Time       time.Time `json:"time"`
	Connection string    `json:"connection"`
	Direction  string    `json:"direction"` // "in": from the broker, or "out"
	Topic      string    `json:"topic"`
	Bytes      int       `json:"bytes"` // of the payload
	QoS        byte      `json:"qos"`
	Retain     bool      `json:"retain,omitempty"`
	LeftOut    int       `json:"left_out,omitempty"` // messages before it that were too many
}

// openMessage is the same for those who may act.
type openMessage struct {
	passedMessage
	Payload string `json:"payload"`
	Cut     bool   `json:"cut,omitempty"`    // its end is missing
	Binary  bool   `json:"binary,omitempty"` // it is no text, and left out
}

// tap follows the messages of all connections, those to come included.
func (l *links) tap(add func(any)) (stop func()) {
	var mu sync.Mutex
	rate := quietlog.NewRate(shownAtOnce, shownASecond)
	set := func(tapped func(name string) func(bool, *mqttlink.Message)) {
		l.mu.Lock()
		l.tapped = tapped
		l.mu.Unlock()
		l.all(func(name string, link *mqttlink.Link) {
			if tapped == nil {
				link.Tap(nil)
			} else {
				link.Tap(tapped(nameOf(name)))
			}
		})
	}
	set(func(name string) func(bool, *mqttlink.Message) {
		return func(in bool, m *mqttlink.Message) {
			now := time.Now()
			mu.Lock()
			pass, left := rate.Pass(now), 0
			if pass {
				left = rate.LeftOut()
			}
			mu.Unlock()
			if pass {
				add(l.shown(name, in, m, now, left))
			}
		}
	})
	return func() { set(nil) }
}

// shown is a message as an event.
func (l *links) shown(name string, in bool, m *mqttlink.Message, now time.Time, left int) events.Restricted {
	look := passedMessage{now.UTC(), name, "out", quietlog.Clip(strings.ToValidUTF8(m.Topic, "?"), maxShownTopic), len(m.Payload), m.QoS, m.Retain, left}
	if in {
		look.Direction = "in"
	}
	act := openMessage{passedMessage: look}
	text := string(m.Payload[:min(len(m.Payload), maxShownPayload+utf8.UTFMax)])
	if act.Cut = len(text) > maxShownPayload; act.Cut {
		text = quietlog.Clip(text, maxShownPayload)
	}
	if act.Binary = !utf8.ValidString(text); !act.Binary {
		act.Payload = l.hide(text)
	}
	return events.Restricted{Look: look, Act: act}
}

// listed are the connections by name.
func (l *links) listed() map[string]any {
	all := map[string]any{}
	for _, c := range l.connections() {
		all[c.Name] = c
	}
	return all
}
