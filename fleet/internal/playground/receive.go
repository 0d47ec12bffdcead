package playground

import (
	"encoding/json"
	"strings"
	"time"

	"pithings/awsiot/command"
	web "pithings/awsiot/playground"
	"pithings/awsiot/shadow"
	"pithings/fleet/internal/engine"
	"pithings/mqttlink/packet"
)

// maxSession bounds a command's session id, in bytes of JSON.
const maxSession = 128

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
	if json.Unmarshal(payload, &c) != nil || c.Type == nil || c.Session == nil || len(c.Session) > maxSession || web.CheckTopic(c.Reply) != nil {
		return
	}
	answer := append([]byte(`{"session-id":`), c.Session...)
	d.send(out, c.Reply, append(answer, `,"status":"OK"}`...), 0)
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
