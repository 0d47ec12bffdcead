package provision

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// cloud plays AWS IoT for provisioning: it makes certificates and things, and remembers all of them
// while devices and networks come and go.
type cloud struct {
	t    *testing.T
	once bool // a token can be used once

	mu     sync.Mutex
	key    crypto.Signer
	root   *x509.Certificate
	serial int64
	tokens map[string]*issued
	things map[string][]*issued // with the certificates that are active for each
	sent   int                  // messages of both directions
	lose   func(n int, topic string) bool
	refuse func(topic string) string // a payload for /rejected; "": not
	seen   []string
}

type issued struct {
	id      string
	public  crypto.PublicKey
	used    bool
	expired bool
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{t: t, tokens: map[string]*issued{}, things: map[string][]*issued{}}
	var err error
	if c.key, _, err = NewKey(); err != nil {
		t.Fatal(err)
	}
	c.root = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cloud"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	return c
}

// phone is a connection of a device with the cloud. It is a Link.
type phone struct {
	*linktest.Client
	c     *cloud
	twice bool // each answer comes twice
}

var errNoBroker = errors.New("no broker")

func (p *phone) Await(ctx context.Context, filters ...string) error {
	for _, f := range filters {
		if !p.Subscribed(f) {
			return fmt.Errorf("%s is not subscribed to", f)
		}
	}
	return ctx.Err()
}

func (p *phone) Trouble() string { return "" }

func (c *cloud) dial() *phone {
	p := &phone{Client: linktest.New(), c: c}
	c.t.Cleanup(p.Close)
	return p
}

// Publish lets the cloud answer, unless the network loses one of both.
func (p *phone) Publish(ctx context.Context, m mqttlink.Message) error {
	if err := p.Client.Publish(ctx, m); err != nil {
		return err
	}
	if p.lost(m.Topic) {
		return nil
	}
	topic, reply := p.c.answer(m.Topic, m.Payload)
	if topic == "" || p.lost(topic) {
		return nil
	}
	err := p.Inject(mqttlink.Message{Topic: topic, Payload: []byte(reply), QoS: 1})
	if p.twice {
		err = errors.Join(err, p.Inject(mqttlink.Message{Topic: topic, Payload: []byte(reply), QoS: 1, Dup: true}))
	}
	return err
}

func (p *phone) lost(topic string) bool {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.c.sent++
	p.c.seen = append(p.c.seen, topic)
	return p.c.lose != nil && p.c.lose(p.c.sent, topic)
}

// answer does what AWS does with a request.
func (c *cloud) answer(topic string, payload []byte) (to, reply string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		if r := c.refuse(topic); r != "" {
			return topic + rejected, r
		}
	}
	switch {
	case topic == createKeys:
		key, text, err := NewKey()
		if err != nil {
			c.t.Error(err)
		}
		one, cert, token := c.issue(key.Public())
		return topic + accepted, c.encode(map[string]string{"certificateId": one.id, "certificatePem": cert, "privateKey": string(text), "certificateOwnershipToken": token})
	case topic == createFromCSR:
		public, err := c.csr(payload)
		if err != nil {
			return topic + rejected, `{"statusCode":400,"errorCode":"InvalidCertificateSigningRequest","errorMessage":"no CSR"}`
		}
		one, cert, token := c.issue(public)
		return topic + accepted, c.encode(map[string]string{"certificateId": one.id, "certificatePem": cert, "certificateOwnershipToken": token})
	case strings.HasPrefix(topic, "$aws/provisioning-templates/"):
		return c.register(topic, payload)
	}
	c.t.Errorf("a device has published to %s", topic)
	return "", ""
}

func (c *cloud) csr(payload []byte) (crypto.PublicKey, error) {
	var body struct{ CertificateSigningRequest string }
	if err := json.Unmarshal(payload, &body); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(body.CertificateSigningRequest))
	if block == nil {
		return nil, errors.New("no PEM")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	return csr.PublicKey, csr.CheckSignature()
}

func (c *cloud) register(topic string, payload []byte) (to, reply string) {
	var body struct {
		CertificateOwnershipToken string
		Parameters                map[string]string
	}
	if err := json.Unmarshal(payload, &body); err != nil {
		return topic + rejected, `{"statusCode":400,"errorCode":"InvalidPayload","errorMessage":"no JSON"}`
	}
	one := c.tokens[body.CertificateOwnershipToken]
	if one == nil || one.expired || c.once && one.used {
		return topic + rejected, `{"statusCode":400,"errorCode":"InvalidCertificateOwnershipToken","errorMessage":"Certificate ownership token cannot be verified."}`
	}
	name := "pi-" + body.Parameters["SerialNumber"]
	if !one.used {
		c.things[name] = append(c.things[name], one)
	}
	one.used = true
	return topic + accepted, c.encode(map[string]any{"thingName": name, "deviceConfiguration": map[string]string{"site": "hall"}})
}

func (c *cloud) encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		c.t.Error(err)
	}
	return string(b)
}

func (c *cloud) issue(public crypto.PublicKey) (one *issued, cert, token string) {
	c.serial++
	template := &x509.Certificate{SerialNumber: big.NewInt(c.serial), Subject: pkix.Name{CommonName: "AWS IoT Certificate"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, c.root, public, c.key)
	if err != nil {
		c.t.Error(err)
	}
	one = &issued{id: fmt.Sprintf("cert-%d", c.serial), public: public}
	token = fmt.Sprintf("token-%d", c.serial)
	c.tokens[token] = one
	return one, string(EncodeCert(der)), token
}

// one checks that the cloud has one thing, all of whose certificates have the key of the device.
func (c *cloud) one(d *Device) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.things) != 1 {
		return fmt.Errorf("there are %d things", len(c.things))
	}
	active := c.things[d.Thing]
	if len(active) == 0 {
		return fmt.Errorf("the device is %s, and that thing has no certificate", d.Thing)
	}
	mine := false
	for _, one := range active {
		if !same(d.Pair.PrivateKey.(crypto.Signer).Public(), one.public) {
			return fmt.Errorf("certificate %s of %s is active with another key", one.id, d.Thing)
		}
		mine = mine || one.id == d.CertificateID
	}
	if !mine {
		return fmt.Errorf("the certificate %s of the device is not active", d.CertificateID)
	}
	return nil
}
