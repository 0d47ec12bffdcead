package cloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pithings/awsiot/cloud/internal/fleet"
	"pithings/awsiot/internal/cbor"
	"pithings/mqttlink"
	"pithings/mqttlink/durable"
)

// Template says which devices are registered, and as what.
type Template = fleet.Template

// The files of the authority in the state folder. Brokers take the first one.
const (
	authorityCert = "ca.pem"
	authorityKey  = "ca.key"
	maxPEM        = 64 << 10 // bytes
)

// provisioning serves fleet provisioning. Its records are certificate/HASH, under the hash of
// the token.
type provisioning struct {
	c         *Cloud
	authority *fleet.Authority
	templates map[string]*fleet.Template
	// expires are when certificates that are not registered are forgotten.
	expires map[string]int64
}

const certificateKey = "certificate/"

func newProvisioning(c *Cloud) (*provisioning, error) {
	p := &provisioning{c: c, templates: map[string]*fleet.Template{}}
	for i := range c.o.Templates {
		t := &c.o.Templates[i]
		if err := t.Check(); err != nil {
			return nil, err
		}
		if p.templates[t.Name] != nil {
			return nil, fmt.Errorf("two templates have the name %s", t.Name)
		}
		p.templates[t.Name] = t
	}
	cert, key := c.o.CACert, c.o.CAKey
	var err error
	if cert == nil {
		if cert, key, err = ownAuthority(c.o.Dir); err != nil {
			return nil, fmt.Errorf("certificate authority: %w", err)
		}
	}
	p.authority, err = fleet.ReadAuthority(cert, key)
	return p, err
}

// ownAuthority reads the authority in the state folder, and makes it the first time.
func ownAuthority(dir string) (cert, key []byte, err error) {
	if dir == "" {
		return fleet.NewAuthority(time.Now())
	}
	cert, err = durable.ReadFile(filepath.Join(dir, authorityCert), maxPEM)
	if err == nil {
		key, err = durable.ReadFile(filepath.Join(dir, authorityKey), maxPEM)
		return cert, key, err
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	if cert, key, err = fleet.NewAuthority(time.Now()); err != nil {
		return nil, nil, err
	}
	// The certificate comes last: with it the authority is whole.
	if err = durable.Replace(filepath.Join(dir, authorityKey), key); err == nil {
		err = durable.Replace(filepath.Join(dir, authorityCert), cert)
	}
	return cert, key, err
}

func (p *provisioning) reset() {
	p.expires = map[string]int64{}
	for _, key := range p.c.store.Keys(certificateKey) {
		if c := p.get(key); c != nil && c.Thing == "" {
			p.expires[key] = c.Expires
		}
	}
}

func (p *provisioning) get(key string) *fleet.Certificate {
	record := p.c.store.Get(key)
	if record == nil {
		return nil
	}
	c := new(fleet.Certificate)
	if err := json.Unmarshal(record, c); err != nil {
		p.c.log.Error("certificate cannot be read", "key", key, "err", err)
		return nil
	}
	return c
}

func (p *provisioning) put(key string, c *fleet.Certificate) error {
	record, err := json.Marshal(c)
	if err == nil {
		err = p.c.store.Put(key, record)
	}
	if err != nil {
		return err
	}
	delete(p.expires, key)
	if c.Thing == "" {
		p.expires[key] = c.Expires
	}
	return nil
}

func (p *provisioning) filters() []string {
	return []string{"$aws/certificates/create/+", "$aws/certificates/create-from-csr/+", "$aws/provisioning-templates/+/provision/+"}
}

func (p *provisioning) answer(levels []string, payload []byte, now time.Time) (result, bool) {
	format := levels[len(levels)-1]
	if format != "json" && format != "cbor" || levels[1] != "certificates" && levels[1] != "provisioning-templates" {
		return result{}, false
	}
	topic := strings.Join(levels, "/")
	respond := func(end string, content map[string]any) []mqttlink.Message {
		return []mqttlink.Message{message(topic+end, encodeAs(format, content))}
	}
	refuse := func(e *fleet.Error) []mqttlink.Message {
		return respond("/rejected", map[string]any{"statusCode": json.Number(fmt.Sprint(e.Status)), "errorCode": e.Code, "errorMessage": e.Message})
	}
	failed := refuse(&fleet.Error{Status: 500, Code: fleet.Internal, Message: "The request could not be served"})
	content, err := p.handle(levels, decodeAs(format, payload), now)
	var refused *fleet.Error
	switch {
	case errors.As(err, &refused):
		p.c.log.Warn("provisioning refused", "topic", topic, "err", refused)
		return result{messages: refuse(refused)}, true
	case err != nil:
		p.c.log.Error("provisioning failed", "topic", topic, "err", err)
		return result{messages: failed}, true
	}
	return result{messages: respond("/accepted", content), failed: failed}, true
}

var errPayload = &fleet.Error{Status: 400, Code: fleet.InvalidPayload, Message: "The payload is not what the topic takes"}

func (p *provisioning) handle(levels []string, request map[string]any, now time.Time) (map[string]any, error) {
	switch {
	case levels[1] == "provisioning-templates":
		return p.register(levels[2], request, now)
	case levels[2] == "create-from-csr":
		csr, ok := request["certificateSigningRequest"].(string)
		if !ok {
			return nil, errPayload
		}
		issued, c, err := p.authority.CreateFromCSR(csr, now)
		return p.issued(issued, c, err)
	case !p.c.o.CreateKeys:
		return nil, &fleet.Error{Status: 403, Code: fleet.AccessDenied, Message: "This cloud makes no keys, which all subscribers of the topic would see: send a certificate signing request to $aws/certificates/create-from-csr"}
	}
	issued, c, err := p.authority.CreateKeys(now)
	return p.issued(issued, c, err)
}

func (p *provisioning) issued(i *fleet.Issued, c *fleet.Certificate, err error) (map[string]any, error) {
	if err == nil {
		err = p.put(certificateKey+fleet.TokenKey(i.Token), c)
	}
	if err != nil {
		return nil, err
	}
	p.c.log.Info("certificate issued", "certificate", i.ID)
	content := map[string]any{"certificateId": i.ID, "certificatePem": i.PEM, "certificateOwnershipToken": i.Token}
	if i.Key != "" {
		content["privateKey"] = i.Key
	}
	return content, nil
}

func (p *provisioning) register(name string, request map[string]any, now time.Time) (map[string]any, error) {
	t := p.templates[name]
	if t == nil {
		return nil, &fleet.Error{Status: 404, Code: fleet.NotFound, Message: "There is no such template"}
	}
	token, ok := request["certificateOwnershipToken"].(string)
	parameters, texts := textsOf(request["parameters"])
	if !ok || !texts {
		return nil, errPayload
	}
	key := certificateKey + fleet.TokenKey(token)
	c, refused := fleet.Register(p.get(key), t, parameters, now)
	if refused != nil {
		return nil, refused
	}
	if err := p.put(key, c); err != nil {
		return nil, err
	}
	p.c.log.Info("thing registered", "thing", c.Thing, "template", name, "certificate", c.ID)
	configuration := map[string]any{}
	for name, value := range t.Configuration {
		configuration[name] = value
	}
	return map[string]any{"deviceConfiguration": configuration, "thingName": c.Thing}, nil
}

// textsOf reads an object of texts; nil is an empty one.
func textsOf(value any) (map[string]string, bool) {
	object, ok := value.(map[string]any)
	if value != nil && !ok {
		return nil, false
	}
	texts := map[string]string{}
	for name, inner := range object {
		if texts[name], ok = inner.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

// decodeAs reads a payload; one that cannot be read, and an empty one, have no members.
func decodeAs(format string, payload []byte) map[string]any {
	var value any
	if format == "cbor" {
		value, _ = cbor.Decode(payload)
	} else {
		d := json.NewDecoder(bytes.NewReader(payload))
		d.UseNumber()
		if d.Decode(&value) != nil {
			return nil
		}
	}
	object, _ := value.(map[string]any)
	return object
}

func encodeAs(format string, content map[string]any) []byte {
	var b []byte
	var err error
	if format == "cbor" {
		b, err = cbor.Encode(content)
	} else {
		b, err = json.Marshal(content)
	}
	if err != nil { // all contents are made here
		panic(err)
	}
	return b
}

// due is when the next certificate that is not registered is forgotten.
func (p *provisioning) due() time.Time { return earliest(p.expires) }

func (p *provisioning) work(now time.Time) []mqttlink.Message {
	for key, at := range p.expires {
		if at <= now.Unix() {
			p.c.store.Delete(key)
			delete(p.expires, key)
		}
	}
	return nil
}
