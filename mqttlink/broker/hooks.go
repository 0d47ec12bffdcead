package broker

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"pithings/mqttlink/broker/internal/store"
	"pithings/mqttlink/topic"
)

// hooks are called by the library.
type hooks struct {
	mqtt.HookBase
	b *Broker
}

// ID names the hook.
func (*hooks) ID() string { return "pithings" }

// Provides says which questions the hook answers.
func (*hooks) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablish, mqtt.OnSessionEstablished,
		mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnPacketProcessed, mqtt.OnSubscribe, mqtt.OnSubscribed,
		mqtt.OnPublish, mqtt.OnWill, mqtt.OnClientExpired:
		return true
	}
	return false
}

// connOf is a client's connection: all of them are ours.
func connOf(cl *mqtt.Client) *conn { return cl.Net.Conn.(*conn) }

// OnConnectAuthenticate lets a client connect: OnConnect has decided.
func (*hooks) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck reports whether a client may publish to a topic. Subscriptions have been
// checked by OnSubscribe; only the library's own $SYS topics are asked for otherwise.
func (h *hooks) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	r := connOf(cl).rights
	switch {
	case !write:
		return !strings.HasPrefix(topic, mqtt.SysPrefix) || r.MayReceive(topic) || r.MaySubscribe(topic)
	case r.MayPublish(topic):
		return true
	}
	h.b.log.Warn("broker: publish refused: the user may not publish to that topic", "client", short(cl.ID), "user", short(r.User), "topic", short(topic))
	return false
}

// OnPacketRead takes the acknowledgements of messages, which the store has sent. The
// library sees one for a message that it does not know, and does nothing.
func (h *hooks) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	switch pk.FixedHeader.Type {
	case packets.Puback, packets.Pubrec, packets.Pubcomp:
		c := connOf(cl)
		failed := pk.ReasonCode >= packets.ErrUnspecifiedError.Code
		if h.b.store.Acknowledge(c.store, pk.FixedHeader.Type, pk.PacketID, failed) {
			c.store.Write([]byte{packets.Pubrel<<4 | 2, 2, byte(pk.PacketID >> 8), byte(pk.PacketID)})
		}
		pk = packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, ProtocolVersion: pk.ProtocolVersion}
	}
	return pk, nil
}

// OnPacketEncode keeps DISCONNECT from clients before MQTT 5, for which a server has
// none (MQTT 3.1.1 section 3.14), and gives them codes that they know.
func (*hooks) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if cl.Properties.ProtocolVersion >= 5 {
		return pk
	}
	switch pk.FixedHeader.Type {
	case packets.Disconnect:
		pk.FixedHeader.Type = packets.Reserved // is not written
	case packets.Connack:
		switch {
		case pk.ReasonCode == packets.ErrUnspecifiedError.Code: // no id, and a session [MQTT-3.1.3-8]
			pk.ReasonCode = packets.Err3ClientIdentifierNotValid.Code
		case pk.ReasonCode > packets.ErrUnspecifiedError.Code: // of MQTT 5; the connection just ends
			pk.FixedHeader.Type = packets.Reserved
		}
	}
	return pk
}

// OnPublish keeps and delivers a message in the library's place, which acknowledges it.
func (h *hooks) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	c := connOf(cl)
	if topic.Levels(pk.TopicName) > maxLevels {
		return pk, h.reject(cl, &pk, packets.ErrTopicNameInvalid)
	}
	m := store.NewMessage(&pk)
	m.Own = c.own
	// One that is not acknowledged comes again; our own would do so for ever.
	if !h.b.keep(m) && m.QoS > 0 && !c.own {
		return pk, h.reject(cl, &pk, packets.ErrQuotaExceeded)
	}
	h.b.deliver(m)
	return pk, packets.CodeSuccessIgnore
}

// keep retains a message if it is to be, and reports whether there was room.
func (b *Broker) keep(m *store.Message) bool {
	if !m.Retain || b.store.Retain(m) {
		return true
	}
	b.log.Warn("broker: message not kept: the retained messages of all clients have half of the broker's memory", "client", short(m.Origin), "topic", short(m.Topic), "bytes", len(m.Payload), "max_memory", b.o.MaxMemory)
	return false
}

// deliver queues a message for its subscribers.
func (b *Broker) deliver(m *store.Message) {
	subs := b.server.Topics.Subscribers(m.Topic)
	if len(subs.Shared) > 0 {
		subs.SelectShared()
		subs.MergeSharedSelected()
	}
	b.store.Deliver(m, subs.Subscriptions)
}

// reject does not acknowledge a message: MQTT 5 has a code for that, earlier versions
// close the connection [MQTT-4.8.0-2].
func (h *hooks) reject(cl *mqtt.Client, pk *packets.Packet, why packets.Code) error {
	if cl.Properties.ProtocolVersion >= 5 {
		if pk.FixedHeader.Qos > 0 {
			kind := byte(packets.Puback)
			if pk.FixedHeader.Qos == 2 {
				kind = packets.Pubrec
			}
			_ = cl.WritePacket(packets.Packet{FixedHeader: packets.FixedHeader{Type: kind}, PacketID: pk.PacketID, ReasonCode: why.Code})
		}
		return packets.ErrRejectPacket
	}
	// The library takes the end of its reading for a goodbye, and forgets the will.
	if atomic.SwapUint32(&cl.Properties.Will.Flag, 0) != 0 {
		h.b.will(cl, cl.Properties.Will)
	}
	_ = h.b.server.DisconnectClient(cl, why)
	return packets.ErrRejectPacket
}

// OnWill publishes a will in the library's place, to which it returns an empty one.
func (h *hooks) OnWill(cl *mqtt.Client, w mqtt.Will) (mqtt.Will, error) {
	cl.Properties.Will.WillDelayInterval = 0 // else the library keeps it
	h.b.will(cl, w)
	return mqtt.Will{}, nil
}

// OnPacketProcessed counts what a packet has changed, and sends the retained messages
// of new subscriptions behind SUBACK.
func (h *hooks) OnPacketProcessed(cl *mqtt.Client, pk packets.Packet, _ error) {
	c := connOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Subscribe:
		h.b.store.SetFilters(c.store, filtersCost(cl))
		for _, r := range c.asked {
			if r.granted && (r.sub.RetainHandling == 0 || r.sub.RetainHandling == 1 && !r.existed) { // [MQTT-3.3.1-10]
				h.b.store.SendRetained(c.store, r.sub)
			}
		}
		c.asked = nil
	case packets.Unsubscribe:
		h.b.store.SetFilters(c.store, filtersCost(cl))
	case packets.Publish, packets.Pubrel:
		if pk.FixedHeader.Type == packets.Pubrel || pk.FixedHeader.Qos == 2 {
			h.b.store.SetInbound(c.store, int64(cl.State.Inflight.Len())*store.InboundCost)
		}
	}
}

// OnClientExpired forgets a session whose client has not come back. The library leaves
// its subscriptions in its tree.
func (h *hooks) OnClientExpired(cl *mqtt.Client) {
	h.b.store.Drop(cl)
	h.b.server.UnsubscribeClient(cl)
}

// Limits of subscriptions and topics.
const (
	maxLevels  = 200  // of a topic or filter, as mosquitto has it: the tree is searched level by level
	maxFilters = 2048 // of a client
	filterPart = 4    // and their share of the budget: a quarter
)

// request is a subscription that a client asks for.
type request struct {
	sub     packets.Subscription
	code    byte // why not; 0: granted, or refused by the library
	existed bool
	granted bool
}

func filterCost(f string) int64 {
	return store.FilterCost + int64(len(f)) + int64(topic.Levels(f))*store.LevelCost
}

func filtersCost(cl *mqtt.Client) (n int64) {
	for f := range cl.State.Subscriptions.GetAll() {
		n += filterCost(f)
	}
	return n
}

// OnSubscribe decides about each filter. The text of one that is refused is taken
// away, so that the library refuses it, too.
func (h *hooks) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c := connOf(cl)
	have, bytes := cl.State.Subscriptions.Len(), filtersCost(cl)
	c.asked = make([]request, len(pk.Filters))
	pk.Filters = slices.Clone(pk.Filters)
	for i := range pk.Filters {
		sub := &pk.Filters[i]
		sub.Filter = strings.Clone(sub.Filter) // it is a part of the whole packet
		_, existed := cl.State.Subscriptions.Get(sub.Filter)
		r := request{sub: *sub, existed: existed}
		switch cost := filterCost(sub.Filter); {
		case topic.Levels(sub.Filter) > maxLevels:
			r.code = packets.ErrTopicFilterInvalid.Code
		case !c.rights.MaySubscribe(sub.Filter):
			r.code = packets.ErrNotAuthorized.Code
			h.b.log.Warn("broker: subscription refused: the user may not read all its topics", "client", short(cl.ID), "user", short(c.rights.User), "filter", short(sub.Filter))
		case !existed && !c.own && (have >= maxFilters || (bytes+cost)*filterPart > h.b.o.MaxMemory):
			r.code = packets.ErrQuotaExceeded.Code
			h.b.store.RefusedSubscription()
			h.b.log.Warn("broker: subscription refused: the client has too many", "client", short(cl.ID), "n", have, "bytes", bytes)
		case !existed:
			have, bytes = have+1, bytes+cost
		}
		if r.code != 0 {
			sub.Filter = ""
		}
		c.asked[i] = r
	}
	return pk
}

// OnSubscribed puts our reasons into SUBACK.
func (h *hooks) OnSubscribed(cl *mqtt.Client, _ packets.Packet, codes []byte) {
	c := connOf(cl)
	for i := range c.asked {
		r := &c.asked[i]
		r.granted = codes[i] < packets.ErrUnspecifiedError.Code && !mqtt.IsSharedFilter(r.sub.Filter)
		if r.code != 0 && cl.Properties.ProtocolVersion >= 5 {
			codes[i] = r.code
		}
	}
}

// will publishes a client's will, now or after its delay.
func (b *Broker) will(cl *mqtt.Client, w mqtt.Will) {
	m := store.NewMessage(&packets.Packet{
		FixedHeader: packets.FixedHeader{Qos: w.Qos, Retain: w.Retain},
		TopicName:   w.TopicName, Payload: w.Payload, Origin: cl.ID,
		Properties: packets.Properties{User: w.User},
	})
	m.Own = connOf(cl).own
	if w.WillDelayInterval > 0 && b.wills.delay(cl.ID, m, time.Duration(w.WillDelayInterval)*time.Second) {
		return
	}
	b.publish(m)
}

// publish keeps a message, if it is to be kept, and delivers it.
func (b *Broker) publish(m *store.Message) {
	b.keep(m)
	b.deliver(m)
}
