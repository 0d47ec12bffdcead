package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"pithings/mqttlink/packet"
)

// state is how far a session has come.
type state uint8

const (
	offline     state = iota // until its pause is over
	away                     // until it wants to join
	queued                   // for its turn to connect
	opening                  // the carrier opens a connection
	greeting                 // CONNECT is sent
	subscribing              // SUBSCRIBE is sent
	online
	over // the engine ends
)

// wish is what a device wants of its session behind the call under way.
type wish uint8

const (
	stay  wish = iota
	again      // another session, behind a goodbye
	cut        // another session, without one
	leave      // none
	join       // one, where it is away
)

// session is what MQTT has to remember of a device. There are thousands: fields are ordered by
// size, and what is rare is behind a pointer. Times are nanoseconds since the engine's start.
type session struct {
	client Client

	asked    int64 // the last packet that is to be answered
	deadline int64 // for the answers of the states before online, and the end of a pause
	began    int64 // when it was online
	pinged   int64 // when the PINGREQ was sent that has no answer; 0: there is none
	flights  []flight
	rest     []byte // of a packet that has not come in full
	skip     int    // bytes to read over, of a message that is too large

	keepalive uint16 // seconds
	id        uint16 // the last message's packet identifier
	codes     uint8  // return codes that the SUBACK must have
	fails     uint8
	passed    uint8 // addresses at which it has failed
	state     state
	wish      wish
}

// subscribeID is the packet identifier of each SUBSCRIBE. Messages have others, because a device may
// publish before the SUBACK.
const subscribeID = 1

// flight is a message with QoS 1 that has no PUBACK.
type flight struct {
	at int64
	id uint16
}

// errProtocol is wrapped by what a broker does against MQTT.
var errProtocol = errors.New("protocol error")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errProtocol, fmt.Errorf(format, args...))
}

// refusedError is a CONNACK whose return code is not 0.
type refusedError byte

// Error has the words of MQTT 3.1.1 section 3.2.2.3, and AWS's code 7.
func (e refusedError) Error() string {
	why := "an unknown reason"
	switch e {
	case 1:
		why = "the protocol version"
	case 2:
		why = "the client id"
	case 3:
		why = "the server is unavailable"
	case 4:
		why = "user name or password"
	case 5, 7:
		why = "not authorised"
	}
	return fmt.Sprintf("CONNACK return code %d: %s", byte(e), why)
}

// opened notes that a device's connection is open.
func (s *shard) opened(i int32) {
	d := &s.sessions[i]
	session := s.e.o.Session(s.first + int(i))
	d.state, d.keepalive, d.codes = greeting, session.Login.KeepAlive, uint8(len(session.Filters))
	s.out = packet.AppendConnect(s.out, &session.Login)
	d.asked = s.e.now()
	s.flush(i)
}

// subscribe follows a CONNACK.
func (s *shard) subscribe(i int32) {
	d := &s.sessions[i]
	if d.codes == 0 {
		s.begin(i)
		return
	}
	d.state, d.asked = subscribing, s.e.now()
	s.out = packet.AppendSubscribe(s.out, subscribeID, s.e.o.Session(s.first+int(i)).Filters)
}

// begin makes a session of an answered connection.
func (s *shard) begin(i int32) {
	d := &s.sessions[i]
	now := s.e.now()
	d.state, d.began = online, now
	s.opening--
	s.stats.Connected++
	if s.e.online.Add(1) == s.e.wanted.Load() {
		s.e.complete(now)
	}
	d.client.Online(time.Duration(now), s.of(i))
}

// feed takes bytes of a device's connection, which are not kept.
func (s *shard) feed(i int32, b []byte) {
	d := &s.sessions[i]
	s.stats.BytesIn += uint64(len(b))
	whole := b
	if len(d.rest) > 0 {
		s.keep(d, append(d.rest, b...))
		whole = d.rest
	}
	b = whole
	for len(b) > 0 {
		if d.skip > 0 {
			n := min(d.skip, len(b))
			d.skip, b = d.skip-n, b[n:]
			continue
		}
		n, err := s.one(i, b)
		if err != nil {
			s.lost(i, err)
			return
		}
		if n == 0 {
			break
		}
		b = b[n:]
	}
	switch {
	case len(b) == 0:
		s.keep(d, nil)
	case len(b) < len(whole) || len(d.rest) == 0:
		s.keep(d, slices.Clone(b))
	} // else nothing is complete, and what is kept is not copied again for each byte that comes
	if s.rest > s.share(maxRest) {
		s.lost(i, broken("the broker begins packets and does not end them"))
		return
	}
	s.flush(i)
}

// keep keeps the beginning of a packet.
func (s *shard) keep(d *session, b []byte) {
	s.rest += len(b) - len(d.rest)
	d.rest = b
}

// one handles the packet with which b begins, and returns its length; 0 if it is not complete.
func (s *shard) one(i int32, b []byte) (int, error) {
	d := &s.sessions[i]
	first, n, size, err := packet.Header(b)
	switch {
	case err != nil:
		return 0, broken("%w", err)
	case size == 0:
		return 0, nil
	case d.state == greeting && first>>4 != packet.Connack:
		return 0, notMQTT(first)
	case n > s.e.o.MaxInbound:
		if first>>4 != packet.Publish || first>>1&3 != 0 {
			return 0, broken("a packet of %d bytes", n)
		}
		s.stats.Received++
		s.stats.TooLarge++
		d.skip = n
		return size, nil
	case len(b) < size+n:
		return 0, nil
	}
	return size + n, s.handle(i, first, b[size:size+n])
}

// notMQTT names what answers a CONNECT with something else.
func notMQTT(first byte) error {
	switch first {
	case 0x15, 0x16: // a TLS alert or handshake record
		return errors.New("the broker speaks TLS: use mqtts://")
	case 'H':
		return errors.New("a web server answers")
	}
	return broken("the first packet is no CONNACK")
}

// handle takes a packet whose body is complete.
func (s *shard) handle(i int32, first byte, body []byte) error {
	d := &s.sessions[i]
	kind := first >> 4
	switch {
	case kind == packet.Connack && d.state == greeting:
		code, err := packet.ParseConnack(body)
		if err != nil {
			return broken("CONNACK: %w", err)
		}
		if code != 0 {
			return refusedError(code)
		}
		s.stats.Sessions++
		s.subscribe(i)
	case kind == packet.Suback && d.state == subscribing:
		id, codes, err := packet.ParseSuback(body)
		if err != nil || id != subscribeID || len(codes) != int(d.codes) {
			return broken("a SUBACK that does not fit the SUBSCRIBE")
		}
		for _, c := range codes {
			if c == packet.Refused {
				s.stats.Refused++
			}
		}
		s.begin(i)
	case kind == packet.Publish:
		return s.received(i, first, body)
	case kind == packet.Puback && d.state >= subscribing:
		id, err := packet.ParseID(body)
		if err != nil {
			return broken("PUBACK: %w", err)
		}
		s.acked(d, id)
	case kind == packet.Pingresp && len(body) == 0:
		d.pinged = 0
	default:
		return broken("a packet of type %d, which no broker sends now", kind)
	}
	return nil
}

func (s *shard) received(i int32, first byte, body []byte) error {
	m, err := packet.ParsePublish(first, body)
	if err != nil {
		return broken("PUBLISH: %w", err)
	}
	s.stats.Received++
	if m.QoS > 0 {
		s.out = packet.AppendPuback(s.out, m.ID)
	}
	s.sessions[i].client.Receive(time.Duration(s.e.now()), &m, s.of(i))
	return nil
}

// acked takes the PUBACK of a message. One for none that is in flight is ignored, as MQTT allows.
func (s *shard) acked(d *session, id uint16) {
	at := slices.IndexFunc(d.flights, func(f flight) bool { return f.id == id })
	if at < 0 {
		return
	}
	s.stats.Acked++
	s.stats.Latency.note(time.Duration(s.e.now() - d.flights[at].at))
	d.flights = slices.Delete(d.flights, at, at+1)
}

// out is Out for one device.
type out struct {
	s *shard
	i int32
}

// of is Out for a device, until it is asked for another one.
func (s *shard) of(i int32) Out {
	s.api = out{s, i}
	return &s.api
}

// Publish implements Out.
func (o *out) Publish(m packet.Message) {
	s, d := o.s, &o.s.sessions[o.i]
	if d.state < subscribing || s.ending || m.QoS > 0 && len(d.flights) >= Window || len(s.out) > maxUnsent {
		s.stats.Dropped++
		return
	}
	s.stats.Published++
	if m.QoS > 0 {
		for free := false; !free; {
			d.id = max(d.id+1, subscribeID+1)
			free = !slices.ContainsFunc(d.flights, func(f flight) bool { return f.id == d.id })
		}
		d.asked = s.e.now()
		d.flights = append(d.flights, flight{d.asked, d.id})
	}
	s.out = packet.AppendPublish(s.out, &m, d.id)
}

// Free implements Out.
func (o *out) Free() int {
	if d := &o.s.sessions[o.i]; d.state >= subscribing && d.state <= online && !o.s.ending && len(o.s.out) <= maxUnsent {
		return Window - len(d.flights)
	}
	return 0
}

// Reconnect implements Out.
func (o *out) Reconnect() { o.s.sessions[o.i].wish = again }

// Break implements Out.
func (o *out) Break() { o.s.sessions[o.i].wish = cut }

// Leave implements Out.
func (o *out) Leave() { o.s.sessions[o.i].wish = leave }

// Join implements Out.
func (o *out) Join() { o.s.sessions[o.i].wish = join }
