package agent

import (
	"math"

	"pithings/agent/config"
	"pithings/awsiot"
	"pithings/mqttlink"
	"pithings/mqttlink/endpoint"
)

// presence adds to the will what reports whether the agent is there. It is not in LinkOptions:
// a command that takes the agent's connection for a moment is not the agent.
func presence(o *mqttlink.Options, m *config.MQTT) {
	o.Birth, o.Close, o.Status = message(m.Birth), message(m.Close), m.Status
}

// message translates a message of the configuration; nil: there is none.
func message(m config.Message) *mqttlink.Message {
	if m.Topic == "" {
		return nil
	}
	return &mqttlink.Message{Topic: m.Topic, Payload: []byte(m.Payload), QoS: byte(m.QoS), Retain: m.Retain}
}

// LinkOptions translates a connection's configuration, but for birth, close and status.
func LinkOptions(m *config.MQTT) mqttlink.Options {
	o := mqttlink.DefaultOptions()
	o.Endpoint = m.Endpoint
	if e, err := endpoint.Parse(m.Endpoint); err == nil && e.TLS() {
		o.CA, o.Cert, o.Key = m.CA, m.Cert, m.Key // the configuration has warned if they are not used
	}
	o.ClientID, o.Username, o.Password = m.ClientID, m.Username, m.Password.Reveal()
	o.ServerName = m.ServerName
	o.ALPN, o.Hints = awsiot.ALPN(o.Endpoint, o.Cert != "", o.Username != ""), awsiot.Hints()
	if m.ALPN != "" {
		o.ALPN = []string{m.ALPN}
	}
	o.KeepAlive, o.ConnectTimeout, o.AckTimeout = m.Keepalive.Duration, m.ConnectTimeout.Duration, m.AckTimeout.Duration
	o.Backoff = mqttlink.Backoff{Min: m.Reconnect.Min.Duration, Max: m.Reconnect.Max.Duration, Stable: m.Reconnect.Stable.Duration}
	o.MaxQueued = m.Queue.Max
	o.Drop = drop(m.Queue.Drop)
	if !math.IsInf(float64(m.Drain), 1) {
		o.Drain = float64(m.Drain)
	}
	o.Window = m.Window
	o.LiveFirst, o.HistoryTopic = m.Order == config.OrderLiveFirst, m.HistoryTopic
	o.Will = message(m.Will)
	return o
}

// brokerLimits applies the limits of the broker, as far as its name shows which it has.
func brokerLimits(o *mqttlink.Options) {
	if limits, drain, ok := awsiot.Limits(o.Endpoint); ok {
		o.Limits = limits
		if o.Drain == 0 || o.Drain > drain {
			o.Drain = drain
		}
	}
}
