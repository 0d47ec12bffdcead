package playground

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pithings/awsiot/command"
	"pithings/awsiot/shadow"
	"pithings/fleet/internal/engine"
	"pithings/mqttlink/packet"
	"pithings/mqttlink/topic"
)

// The bounds of a command.
const (
	maxSession = 128 // bytes of a session id, as JSON
	maxTopic   = 256 // bytes of a topic that others choose
	maxSlashes = 7   // in it
)

// Receive implements engine.Client. What is not understood is not answered, as in the playground.
func (d *Device) Receive(now time.Duration, m *packet.Message, out engine.Out) {
	d.in.note(m.Topic, m.Payload)
	if m.Topic == command.RequestTopic(d.Name) {
		d.command(m.Payload, out)
		return
	}
	what, ok := strings.CutPrefix(m.Topic, "$aws/things/"+d.Name+"/")
	if !ok || !d.Kind.Services() {
		return
	}
	switch what {
	case "shadow/" + string(shadow.GetAccepted):
		d.answer(m.Payload)
		d.shadow(m.Payload, out)
	case "shadow/" + string(shadow.GetRejected):
		d.answer(nil)
	case "shadow/" + string(shadow.UpdateAccepted):
		d.shadow(m.Payload, out)
	case "jobs/notify-next":
		d.notified(m.Payload, out)
	case "jobs/get/accepted":
		d.queued(m.Payload, out)
	case "jobs/start-next/accepted":
		d.start(now, m.Payload, out)
	}
}

// command answers a command: every one that says what it wants and where the answer goes.
func (d *Device) command(payload []byte, out engine.Out) {
	var c struct {
		Type    json.RawMessage `json:"type"`
		Session json.RawMessage `json:"session-id"`
		Reply   string          `json:"response-topic"`
	}
	if json.Unmarshal(payload, &c) != nil || c.Type == nil || c.Session == nil || len(c.Session) > maxSession || checkTopic(c.Reply) != nil {
		return
	}
	answer := append([]byte(`{"session-id":`), c.Session...)
	d.send(out, c.Reply, append(answer, `,"status":"OK"}`...), 0)
}

// checkTopic keeps devices from publishing where a broker would end their sessions.
func checkTopic(t string) error {
	if err := topic.Check(t); err != nil {
		return err
	}
	switch {
	case len(t) > maxTopic:
		return fmt.Errorf("a topic of %d bytes: at most %d are taken", len(t), maxTopic)
	case strings.Count(t, "/") > maxSlashes:
		return fmt.Errorf("a topic with %d slashes: brokers take %d", strings.Count(t, "/"), maxSlashes)
	case t[0] == '$':
		return errors.New("a topic that begins with $: those are the broker's own")
	}
	return nil
}

// shadow takes the status that the cloud desires.
func (d *Device) shadow(payload []byte, out engine.Out) {
	if !d.Kind.Lit() {
		return
	}
	var doc struct {
		State struct {
			Desired struct {
				Status any `json:"status"`
			} `json:"desired"`
		} `json:"state"`
	}
	if json.Unmarshal(payload, &doc) != nil {
		return
	}
	wanted, ok := doc.State.Desired.Status.(string)
	if !ok || wanted != "on" && wanted != "off" || (wanted == "on") == d.lit {
		return
	}
	d.lit = !d.lit
	if d.Kind == Controlled {
		d.send(out, shadow.Topic(d.Name, "", shadow.Update), []byte(`{"state":{"reported":{"status":"`+status(d.lit)+`"}}}`), 0)
	}
}
