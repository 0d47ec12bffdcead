package rule

import (
	"context"
	"time"

	"pithings/mqttlink"
)

// The topics of the local bus of 2.x (DSA API V1.0, section 2).
const (
	busMeasuresTopic = "ds2/eventbus/north/measures/"
	busAlarmTopic    = "ds2/eventbus/north/alarm/"
	busReadTopic     = "ds2/eventbus/south/read/"
	busCloudTopic    = "ds2/eventbus/system/cloud/connection/notice"
)

// bus publishes a batch on the local bus, which keeps nothing.
func (r *Rules) bus(ctx context.Context, b *Batch) {
	for i := range b.Rounds {
		r.notify(ctx, busReadTopic+b.Rounds[i].Group, &Dict{{"controllers", busControllers(&b.Rounds[i])}})
		r.notify(ctx, busMeasuresTopic+b.Rounds[i].Group, busMeasures(&b.Rounds[i]))
	}
	for i := range b.Alarms {
		r.notify(ctx, busAlarmTopic+b.Alarms[i].Name, busAlarm(&b.Alarms[i]))
	}
}

// Connected publishes on the local bus that the connection stands: status 2.
func (r *Rules) Connected(ctx context.Context, now time.Time) {
	if r.env.Bus {
		r.notify(ctx, busCloudTopic, &Dict{{"cloud_name", defaultCloud}, {"status", 2}, {"timestamp", now.Unix()}})
	}
}

func (r *Rules) notify(ctx context.Context, topic string, d *Dict) {
	if !r.env.Link.Connected() {
		return
	}
	v, err := toScript(d)
	if err != nil {
		return
	}
	payload, err := encode(ctx, v)
	if err == nil {
		err = r.env.Link.Publish(ctx, mqttlink.Message{Topic: topic, Payload: payload, Unqueued: true})
	}
	if err != nil {
		r.env.Log.Debug("message of the local bus is not published", "topic", topic, "err", err)
	}
}
