package broker

import (
	"crypto/tls"
	"errors"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"pithings/mqttlink/broker/internal/access"
	"pithings/mqttlink/broker/internal/store"
	"pithings/mqttlink/topic"
)

// OnConnect decides whether a client may connect, and sends the CONNACK of those who
// may not.
func (h *hooks) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	c := connOf(cl)
	rights, code := h.b.admit(c, cl, &pk)
	if code != packets.CodeSuccess {
		if cl.Properties.ProtocolVersion < 5 {
			code = before5(code)
		}
		_ = h.b.server.SendConnack(cl, code, false, nil)
		return code
	}
	c.client, c.rights = cl, rights
	return nil
}

// before5 is a code of CONNACK before MQTT 5 (MQTT 3.1.1 section 3.2.2.3).
func before5(code packets.Code) packets.Code {
	switch code {
	case packets.ErrServerUnavailable:
		return packets.Err3ServerUnavailable
	case packets.ErrClientIdentifierNotValid:
		return packets.Err3ClientIdentifierNotValid
	}
	return packets.Err3NotAuthorized
}

func (b *Broker) admit(c *conn, cl *mqtt.Client, pk *packets.Packet) (*access.Rights, packets.Code) {
	rights, err := b.login(c, cl, pk)
	switch {
	case errors.Is(err, access.ErrBusy):
		b.log.Warn("broker: client refused", "remote", c.addr(), "err", err)
		return nil, packets.ErrServerUnavailable
	case err != nil:
		b.log.Warn("broker: client refused", "remote", c.addr(), "client", short(cl.ID), "user", short(string(pk.Connect.Username)), "err", err)
		return nil, packets.ErrBadUsernameOrPassword
	}
	if pk.Connect.WillFlag {
		t := pk.Connect.WillTopic
		if !mqtt.IsValidFilter(t, true) || t == "" || topic.Levels(t) > maxLevels || !rights.MayPublish(t) {
			b.log.Warn("broker: client refused: it may not publish to the topic of its will", "client", short(cl.ID), "user", short(rights.User), "topic", short(t))
			return nil, packets.ErrNotAuthorized
		}
	}
	if !b.settle(c, cl.ID, rights) {
		b.log.Warn("broker: client refused: its id is that of another user's client", "client", short(cl.ID), "user", short(rights.User), "remote", c.addr())
		return nil, packets.ErrClientIdentifierNotValid
	}
	return rights, packets.CodeSuccess
}

func (b *Broker) login(c *conn, cl *mqtt.Client, pk *packets.Packet) (*access.Rights, error) {
	if c.own {
		return access.All(""), nil
	}
	l := access.Login{Client: cl.ID, Addr: c.addr(), HasUser: pk.Connect.UsernameFlag,
		User: string(pk.Connect.Username), Password: string(pk.Connect.Password)}
	if t, ok := c.Conn.(*tls.Conn); ok {
		if chains := t.ConnectionState().VerifiedChains; len(chains) > 0 {
			l.Certificate, l.CommonName = true, chains[0][0].Subject.CommonName
		}
	}
	return b.gate.Open(b.ctx, l)
}

// settle makes sure that the session of an id is the client's own. That of another
// user is left alone, except for a client of this process, which expels it. It waits
// until the library has finished with a client that was expelled.
func (b *Broker) settle(c *conn, id string, rights *access.Rights) bool {
	user, own, ok := b.store.Owner(id)
	if ok && (own != c.own || user != rights.User) {
		if !c.own {
			return false
		}
		b.store.Expel(id)
		ok = false
	}
	if old, known := b.server.Clients.Get(id); known && !ok {
		select {
		case <-connOf(old).done:
		case <-b.ctx.Done():
		}
	}
	return true
}

// OnSessionEstablish joins a client with what is kept for it, as the library does.
func (h *hooks) OnSessionEstablish(cl *mqtt.Client, pk packets.Packet) {
	c := connOf(cl)
	c.ready.Store(true)
	h.b.wills.take(cl.ID, nil) // [MQTT-3.1.3-9]
	clean := pk.Connect.Clean
	if old, ok := h.b.server.Clients.Get(cl.ID); ok && old.Properties.Clean && old.Properties.ProtocolVersion < 5 {
		clean = true
	}
	h.b.store.Attach(c.store, store.Established{
		Client: cl, ID: cl.ID, Rights: c.rights, Clean: clean, V5: cl.Properties.ProtocolVersion >= 5,
		MaxPacket: int(pk.Properties.MaximumPacketSize), Window: int(pk.Properties.ReceiveMaximum), Held: int64(pk.FixedHeader.Remaining),
	})
}

// OnSessionEstablished lets messages follow CONNACK.
func (h *hooks) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	c := connOf(cl)
	h.b.store.SetFilters(c.store, filtersCost(cl))
	c.store.Open()
	c.joined.Store(cl)
}

// ended is called when the library has finished with a connection. The library leaves
// clients behind whose connection broke before CONNACK.
func (b *Broker) ended(c *conn) {
	current := false
	if c.client != nil {
		now, ok := b.server.Clients.Get(c.client.ID)
		current = ok && now == c.client
	}
	kept := b.store.End(c.store, current && !ends(c.client))
	if current && !kept {
		b.forget(c.client)
	}
}

// ends reports whether a client's session ends with its connection.
func ends(cl *mqtt.Client) bool {
	if cl.Properties.ProtocolVersion >= 5 {
		return cl.Properties.Props.SessionExpiryInterval == 0
	}
	return cl.Properties.Clean
}
