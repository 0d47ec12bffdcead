package provision

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"

	"pithings/mqttlink"
)

// The reserved topics (docs.aws.amazon.com, "Device provisioning MQTT API").
const (
	createKeys    = "$aws/certificates/create/json"
	createFromCSR = "$aws/certificates/create-from-csr/json"
	accepted      = "/accepted"
	rejected      = "/rejected"
)

func provisionTopic(template string) string {
	return "$aws/provisioning-templates/" + template + "/provision/json"
}

// attempts is how often a request is sent that gets no answer, or one that may pass.
const attempts = 3

// session is the subscriptions of one run.
type session struct {
	link    Link
	replies chan mqttlink.Message
	cancel  func()
}

// subscribe asks for the answers before any request is sent: a broker delivers none later.
func (p *Provisioner) subscribe(ctx context.Context, l Link) (*session, error) {
	s := &session{link: l, replies: make(chan mqttlink.Message, 16)}
	var filters []string
	for _, topic := range []string{p.createTopic(), provisionTopic(p.Template)} {
		filters = append(filters, topic+accepted, topic+rejected)
	}
	cancel, err := l.SubscribeAll(filters, 1, func(ctx context.Context, m mqttlink.Message) {
		select {
		case s.replies <- m:
		case <-ctx.Done():
		default: // a flood: what was asked for is sent again
		}
	})
	if err != nil {
		return nil, err
	}
	s.cancel = cancel
	ctx, stop := context.WithTimeoutCause(ctx, attempts*p.Wait, errors.New("no connection with the claim certificate"))
	defer stop()
	if err := l.Await(ctx, filters...); err != nil {
		cancel()
		return nil, fmt.Errorf("provisioning: %w", err)
	}
	return s, nil
}

func (p *Provisioner) createTopic() string {
	if p.AWSMakesKey {
		return createKeys
	}
	return createFromCSR
}

// create requests a certificate for key, or for one that AWS makes, and keeps it with its token.
func (p *Provisioner) create(ctx context.Context, s *session, key crypto.Signer) error {
	payload := []byte{}
	var public crypto.PublicKey
	if key != nil {
		csr, err := request(key)
		if err != nil {
			return err
		}
		if payload, err = json.Marshal(map[string]string{"certificateSigningRequest": csr}); err != nil {
			return err
		}
		public = key.Public()
	}
	var c created
	if err := p.ask(ctx, s, "to make a certificate", p.createTopic(), payload, func(reply []byte) (err error) {
		c, err = readCreated(reply, public)
		return err
	}); err != nil {
		return err
	}
	if key == nil {
		if err := p.disk.Replace(p.path(KeyFile), []byte(c.Key)); err != nil {
			return err
		}
	}
	p.journal.ID, p.journal.PEM, p.journal.Token = c.ID, c.PEM, c.Token
	p.step("got the certificate %s", c.ID)
	return p.save()
}

// register has the template make the thing, for the certificate in the journal.
func (p *Provisioner) register(ctx context.Context, s *session) (r registered, err error) {
	parameters := p.Parameters
	if parameters == nil {
		parameters = map[string]string{}
	}
	payload, err := json.Marshal(map[string]any{"certificateOwnershipToken": p.journal.Token, "parameters": parameters})
	if err != nil {
		return r, err
	}
	err = p.ask(ctx, s, "to register a thing", provisionTopic(p.Template), payload, func(reply []byte) (err error) {
		r, err = readRegistered(reply)
		return err
	})
	return r, err
}

// answer is what has come of a request.
type answer int

const (
	silence answer = iota
	yes
	no
)

// ask sends a request until it is answered. accept reads an answer; one to another client is passed
// over.
func (p *Provisioner) ask(ctx context.Context, s *session, what, topic string, payload []byte, accept func([]byte) error) error {
	s.drain()
	var refused *Rejected
	for range attempts {
		// What the network does not take in time is not sent later, beside the next attempt.
		m := mqttlink.Message{Topic: topic, Payload: payload, QoS: 1, Expiry: p.Wait}
		if err := s.link.Publish(ctx, m); err != nil {
			return fmt.Errorf("provisioning: %w", err)
		}
		over, stop := context.WithTimeout(ctx, p.Wait)
		got, reply, err := s.answer(over, topic, accept)
		if got == no {
			if refused = readRejected(what, p.Template, reply, p.journal.Token); refused.passing() {
				<-over.Done() // a throttled service gets some rest
			}
		}
		stop()
		switch {
		case err != nil || got == yes:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case refused != nil && !refused.passing():
			return refused
		}
	}
	if refused != nil {
		return refused
	}
	line := fmt.Sprintf("provisioning: no answer to %s after %d attempts", topic, attempts)
	if why := s.link.Trouble(); why != "" {
		line += ": " + why
	}
	return errors.New(line + "; check that the policy of the claim allows iot:Publish and iot:Receive for it, and run it again: what is done so far is kept")
}

// answer waits for one until ctx is done. The error is of one that is not understood.
func (s *session) answer(ctx context.Context, topic string, accept func([]byte) error) (answer, []byte, error) {
	for {
		select {
		case m := <-s.replies:
			switch m.Topic {
			case topic + rejected:
				return no, m.Payload, nil
			case topic + accepted:
				err := accept(m.Payload)
				if errors.Is(err, errForeign) {
					continue
				}
				if err != nil {
					err = fmt.Errorf("the answer on %s is not understood: %w", topic+accepted, err)
				}
				return yes, nil, err
			}
		case <-ctx.Done():
			return silence, nil, nil
		}
	}
}

// drain drops answers to earlier requests.
func (s *session) drain() {
	for {
		select {
		case <-s.replies:
		default:
			return
		}
	}
}
