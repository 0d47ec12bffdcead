package fleet

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"pithings/awsiot/provision"
	"pithings/awsiot/provision/authority"
	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/playground"
	"pithings/fleet/internal/web"
)

// factory makes devices at the places of a fleet. Operations are done one at a time.
type factory struct {
	*Fleet
	mu     sync.Mutex
	random *rand.Rand
	made   uint64 // how many there have been
}

func newFactory(f *Fleet) *factory {
	return &factory{Fleet: f, random: rand.New(rand.NewPCG(f.Seed, 0x66616374))}
}

// Arns of what is a task, a cluster and a certificate in the playground.
const arn = "arn:pithings:local:"

const cluster = arn + "cluster/fleet"

// Create implements web.Factory: a device moves into a free place and connects.
func (f *factory) Create(kind string) (web.Created, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, err := playground.ParseKind(cmp.Or(kind, playground.Generic.String()))
	if err != nil {
		return web.Created{}, err
	}
	i, ok := f.places.free()
	if !ok {
		return web.Created{}, fmt.Errorf("all %d places are taken: delete a device, or start the fleet with a larger -n", f.Devices)
	}
	if err := f.settle(i); err != nil {
		return web.Created{}, err
	}
	r, err := f.make(k)
	if err != nil {
		return web.Created{}, err
	}
	f.made++
	d := playground.New(&f.settings, playground.Device{Name: r.name, Kind: k, Seed: f.Seed*seedStep + f.made, Fresh: true})
	f.places.moveIn(i, r)
	err = f.do(i, func(_ time.Duration, place *playground.Device, out engine.Out) error {
		*place = *d
		out.Join()
		return nil
	})
	if err != nil {
		f.places.moveOut(i)
		return web.Created{}, errors.Join(err, f.forget(r))
	}
	return web.Created{Name: r.name, Endpoint: f.host(), Task: arn + "task/" + r.name, Cluster: cluster}, nil
}

// settle counts an empty place as one whose device has the fleet's interval again.
func (f *factory) settle(i int) error {
	f.changes.Lock()
	defer f.changes.Unlock()
	v, err := f.view(i, "")
	if err != nil {
		return err
	}
	if err := f.budget.change(1/f.Interval.Seconds() - 1/v.Interval.Seconds()); err != nil {
		return err
	}
	return f.do(i, func(now time.Duration, d *playground.Device, _ engine.Out) error {
		return d.Configure(now, &playground.Change{Interval: f.Interval})
	})
}

const (
	letters  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	maxTries = 100
)

// make makes a device with a name of its own: four random letters behind the prefix, as in the
// playground.
func (f *factory) make(k playground.Kind) (*resident, error) {
	for range maxTries {
		name := []byte(f.Prefix)
		for range 4 {
			name = append(name, letters[f.random.IntN(len(letters))])
		}
		r := &resident{name: string(name), kind: k.String(), made: time.Now()}
		if _, taken := f.places.find(r.name); taken {
			continue
		}
		err := f.certify(r)
		if errors.Is(err, provision.ErrThere) {
			continue
		}
		return r, err
	}
	return nil, fmt.Errorf("%d random names are all taken: give another --prefix", maxTries)
}

// certify gives a device a certificate of the fleet's authority, if it has one.
func (f *factory) certify(r *resident) error {
	if f.Identities == "" {
		return nil
	}
	a, err := authority.Open(f.Identities, authority.Options{Endpoint: f.endpoint.String()})
	if err != nil {
		return err
	}
	defer a.Close()
	if r.identity, err = a.Device(r.name); err != nil {
		return err
	}
	r.tls = f.tls.device(r.identity)
	return nil
}

// checkAuthority keeps a factory from making an authority by mistake.
func (f *Fleet) checkAuthority() error {
	if f.Identities == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(f.Identities, authority.CAKey)); err != nil {
		return fmt.Errorf("a factory makes identities, for which it needs an authority: %w; make one: pithings provision local --dir %s", err, provision.Quote(f.Identities))
	}
	return nil
}

// host is the broker as the playground writes it: without a scheme, if that says nothing.
func (f *factory) host() string {
	if f.endpoint.TLS() {
		return strings.TrimSuffix(f.endpoint.Addr(), ":8883")
	}
	return f.endpoint.String()
}

// errNoSuch is the error of devices that there are not.
func errNoSuch(name string) error {
	return fmt.Errorf("there is no device %.64q: list-devices names them", name)
}

// lives finds a device.
func (f *factory) lives(name string) (int, resident, error) {
	i, ok := f.places.find(name)
	if !ok {
		return 0, resident{}, errNoSuch(name)
	}
	return i, f.places.of(i), nil
}

// Delete implements web.Factory: a device says goodbye, and its key and certificate are deleted.
func (f *factory) Delete(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, r, err := f.lives(name)
	if err != nil {
		return err
	}
	err = f.do(i, func(_ time.Duration, _ *playground.Device, out engine.Out) error {
		out.Leave()
		return nil
	})
	if err != nil {
		return err
	}
	f.places.moveOut(i)
	return f.forget(&r)
}

// forget deletes a device's files.
func (f *factory) forget(r *resident) error {
	if r.identity == nil {
		return nil
	}
	return os.RemoveAll(r.identity.Dir)
}

// Link implements web.Factory.
func (f *factory) Link(source, target string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, _, err := f.lives(source)
	if err != nil {
		return err
	}
	if _, _, err := f.lives(target); err != nil {
		return err
	}
	return f.do(i, func(_ time.Duration, d *playground.Device, _ engine.Out) error { return d.Link(target) })
}

// List implements web.Factory.
func (f *factory) List() []web.Item {
	all := []web.Item{} // not null
	for _, i := range f.places.taken() {
		if item, err := f.item(i); err == nil {
			all = append(all, item)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// Describe implements web.Factory.
func (f *factory) Describe(name string) (web.Item, error) {
	i, _, err := f.lives(name)
	if err != nil {
		return web.Item{}, err
	}
	return f.item(i)
}

// item is a device as the playground's catalog has it.
func (f *factory) item(i int) (web.Item, error) {
	r := f.places.of(i)
	if r.name == "" { // it has just been deleted
		return web.Item{}, errGone
	}
	v, err := f.view(i, r.name)
	if err != nil {
		return web.Item{}, err
	}
	item := web.Item{
		ID: r.name, Endpoint: f.host(), Type: r.kind, Controlled: v.Target, Time: r.made.UTC().Format(time.RFC3339), Status: "PROV",
		IP: f.settings.IP, Task: arn + "task/" + r.name, Cluster: cluster, Policy: r.name + "-Policy",
	}
	if v.Connected {
		item.Status = "RUNNING"
	}
	if r.identity != nil {
		leaf := r.identity.Pair.Certificate[0]
		sum := sha256.Sum256(leaf)
		item.Cert = string(provision.EncodeCert(leaf))
		item.CertificateID = hex.EncodeToString(sum[:]) // as AWS makes it
		item.CertificateArn = arn + "cert/" + item.CertificateID
	}
	return item, nil
}

// Document implements web.Factory: the device as the playground's devices read themselves
// (awsiot/provision/document).
func (f *factory) Document(name string) ([]byte, error) {
	i, r, err := f.lives(name)
	if err != nil {
		return nil, err
	}
	v, err := f.view(i, name)
	if err != nil {
		return nil, err
	}
	d := struct {
		Endpoint   string `json:"iot_endpoint"`
		Name       string `json:"device_name"`
		Cert       string `json:"cert"`
		CA         string `json:"root_ca"`
		Key        string `json:"key"`
		Type       string `json:"device-type"`
		Controlled string `json:"controlled-device"`
	}{Endpoint: f.host(), Name: r.name, Type: r.kind, Controlled: v.Target}
	if r.identity != nil {
		for path, text := range map[string]*string{r.identity.Cert(): &d.Cert, r.identity.Key(): &d.Key, r.identity.CA(): &d.CA} {
			if path == "" { // the broker's authority is one of the system's
				continue
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			*text = string(b)
		}
	}
	text, err := json.Marshal(d)
	if err == nil && !f.places.fetch(name) { // at last: what fails before may be tried again
		return nil, errors.New("the document was fetched: it is given once; create another device")
	}
	return text, err
}
