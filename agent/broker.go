package agent

import (
	"context"
	"sync"

	"pithings/api"
	"pithings/mqttlink/broker"
)

const brokerName = "broker"

// brokerService is the embedded broker. It accepts connections from the moment it is made, and
// ends last.
type brokerService struct {
	*broker.Broker
	once sync.Once
}

// Name implements Service.
func (*brokerService) Name() string { return brokerName }

// Run implements Service.
func (b *brokerService) Run(ctx context.Context) error {
	<-ctx.Done()
	return b.Close()
}

// Close ends the broker.
func (b *brokerService) Close() error {
	b.once.Do(func() { b.Broker.Close() })
	return nil
}

// Collect implements Collector.
func (b *brokerService) Collect(m *api.Metrics) {
	s := b.Stats()
	for _, f := range []struct {
		name, kind, help string
		value            float64
	}{
		{"memory_bytes", "gauge", "Bytes that the embedded broker keeps for its clients.", float64(s.Used)},
		{"memory_limit_bytes", "gauge", "Most bytes that the embedded broker keeps for its clients (broker.max_memory).", float64(s.Max)},
		{"connections", "gauge", "Connections to the embedded broker.", float64(s.Connections)},
		{"sessions", "gauge", "Clients that the embedded broker knows, connected or not.", float64(s.Sessions)},
		{"absent_sessions", "gauge", "Clients that the embedded broker knows and that are not connected.", float64(s.Absent)},
		{"retained_messages", "gauge", "Retained messages of the embedded broker.", float64(s.Retained)},
		{"retained_bytes", "gauge", "Bytes of the retained messages of the embedded broker.", float64(s.RetainedBytes)},
		{"evicted_clients_total", "counter", "Clients that the embedded broker disconnected, or forgotten, because the memory was spent and they cost most.", float64(s.Evicted)},
		{"retained_refused_total", "counter", "Retained messages that the embedded broker did not keep because there was no room.", float64(s.RetainedRefused)},
		{"subscriptions_refused_total", "counter", "Subscriptions that the embedded broker refused because the client had too many.", float64(s.SubscriptionsOver)},
		{"dropped_messages_total", "counter", "Messages that a client of the embedded broker did not get because of its own limit.", float64(s.Dropped)},
	} {
		m.Family("pithings_broker_"+f.name, f.kind, f.help)
		m.Sample(f.value)
	}
}
