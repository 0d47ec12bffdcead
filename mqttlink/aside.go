package mqttlink

import (
	"log/slog"
	"slices"
	"time"

	"pithings/mqttlink/outbox"
)

// Aside is a message that was taken out of the outbox without being delivered,
// because the broker closes the connection upon it: the others could never pass.
type Aside struct {
	Message  Message
	Reason   string // in one line
	Time     time.Time
	Sessions int // that it ended; 0 if it was judged by its topic
}

// What a link keeps of them itself.
const (
	asideMessages = 100
	asideBytes    = 1 << 20
)

// offender is a topic whose messages had to be set aside.
type offender struct {
	times int       // in a row
	until time.Time // barred; after that, one is tried again
}

// After this many messages in a row the topic is barred for so long: its messages
// go aside without being sent. And so many topics are remembered.
const (
	barAfter  = 3
	barFor    = 10 * time.Minute
	offenders = 256
)

// setAside keeps r with Options.SetAside, or in memory, and tells of it. The caller
// takes it out of the outbox. sessions is how many it has ended.
func (l *Link) setAside(r outbox.Record, reason string, sessions int) {
	reason = oneLine(reason)
	a := Aside{
		Message: Message{Topic: r.Topic, Payload: r.Payload, QoS: r.QoS, Retain: r.Retain, Life: r.Life},
		Reason:  reason, Time: time.Now(), Sessions: sessions,
	}
	kept := false
	if l.o.SetAside != nil {
		err := l.o.SetAside(a)
		if kept = err == nil; err != nil {
			l.quiet.say(slog.LevelError, "aside "+err.Error(), "a message that was set aside cannot be stored, and is kept in memory only", "error", err)
		}
	}
	a.Message.Payload = slices.Clone(a.Message.Payload)
	l.mu.Lock()
	l.stats.Aside++
	if !kept {
		l.asides = append(l.asides, a)
		l.asideBytes += size(a.Message)
		for len(l.asides) > asideMessages || l.asideBytes > asideBytes && len(l.asides) > 1 {
			l.asideBytes -= size(l.asides[0].Message)
			l.asides = slices.Delete(l.asides, 0, 1)
		}
	}
	l.mu.Unlock()
	l.quiet.say(slog.LevelError, "aside "+r.Topic, "message set aside", "topic", clip(r.Topic), "bytes", len(r.Payload), "reason", reason)
}

// Asides returns the messages that were set aside and that Options.SetAside has
// not taken: the last hundred, 1 MiB together.
func (l *Link) Asides() []Aside {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asides)
}

// offend notes that a message to topic had to be set aside.
func (l *Link) offend(topic string, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.offenders[topic]
	if o == nil {
		if len(l.offenders) >= offenders {
			clear(l.offenders)
		}
		o = new(offender)
		l.offenders[topic] = o
		l.offending.Store(int32(len(l.offenders)))
	}
	if o.times += times; o.times >= barAfter {
		o.until = time.Now().Add(barFor)
	}
}

// barred reports whether messages to topic go aside without being sent.
func (l *Link) barred(topic string) bool {
	if l.offending.Load() == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.offenders[topic]
	return o != nil && time.Now().Before(o.until)
}

// offended reports whether messages to topic have been set aside, and none
// delivered since.
func (l *Link) offended(topic string) bool {
	if l.offending.Load() == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.offenders[topic] != nil
}

// pardon forgets what messages to topic have done.
func (l *Link) pardon(topic string) {
	if l.offending.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.offenders, topic)
	l.offending.Store(int32(len(l.offenders)))
}
