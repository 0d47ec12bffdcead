package provision

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"pithings/mqttlink/durable"
)

// Request is what is to be had from AWS IoT.
type Request struct {
	Template   string
	Parameters map[string]string
	// AWSMakesKey lets AWS make the private key, which then comes over the network. Otherwise the
	// key never leaves this machine.
	AWSMakesKey bool
	Endpoint    string // kept in identity.json
	CA          []byte // kept as ca.pem, if not nil
	// Claim are the files of the claim certificate, to erase when it has served.
	Claim []string
	// Check connects as the new device; nil: it is not tried.
	Check func(context.Context, *Device) error
	// Wait is how long an answer may take, 10 s if it is 0. A request is sent three times.
	Wait time.Duration
	// Step is called with a line for each step; nil: none is.
	Step func(string)
}

// ErrClaimKept says that the identity is there, and its claim could not be erased.
var ErrClaimKept = errors.New("the identity is made, but its claim could not be erased")

// Provisioner makes the identity of a state folder, and holds its lock.
type Provisioner struct {
	state   string
	lock    *os.File
	disk    disk
	journal journal
	now     func() time.Time
	root    func() bool // this process may erase any file
	Request
}

// templateName is what AWS IoT takes for one (API reference, CreateProvisioningTemplate).
var templateName = regexp.MustCompile(`^[0-9A-Za-z_-]{1,36}$`)

// maxParameters bounds the parameters of a template.
const maxParameters = 100

// Begin takes the lock of a state folder. The error wraps ErrThere if it has an identity. End
// releases it.
func Begin(state string) (*Provisioner, error) { return begin(state, realDisk{}) }

func begin(state string, d disk) (*Provisioner, error) {
	f, err := lock(state)
	if err != nil {
		return nil, err
	}
	p := &Provisioner{state: state, lock: f, disk: d, now: time.Now, root: func() bool { return os.Geteuid() == 0 }}
	if err := p.open(); err != nil {
		p.End()
		return nil, err
	}
	return p, nil
}

// open looks how far earlier runs have come.
func (p *Provisioner) open() (err error) {
	state := p.state
	if _, err := os.Lstat(filepath.Join(state, Folder)); err == nil {
		who := "an identity"
		if d, err := Identity(state); err == nil {
			who = "the identity of " + d.Thing
		}
		return fmt.Errorf("%s is there, and %w: to make another one, move %s away", who, ErrThere, filepath.Join(state, Folder))
	}
	if err := durable.MakeFolder(filepath.Join(state, Pending)); err != nil {
		return err
	}
	p.journal, err = readJournal(filepath.Join(state, Pending))
	return err
}

// End releases the lock, and leaves what has been done for the next run.
func (p *Provisioner) End() {
	os.Remove(filepath.Join(p.state, Pending)) // if it is empty
	p.lock.Close()
}

// Made reports whether an earlier run has got the identity, so that no connection is needed to
// finish it.
func (p *Provisioner) Made() bool {
	_, err := os.Stat(p.path(AboutFile))
	return err == nil
}

// begun reports whether an earlier run has left something.
func (p *Provisioner) begun() bool {
	entries, err := os.ReadDir(filepath.Join(p.state, Pending))
	return err != nil || len(entries) > 0
}

func (p *Provisioner) step(format string, args ...any) {
	if p.Step != nil {
		p.Step(fmt.Sprintf(format, args...))
	}
}

// Run gets the identity over a connection that is made with the claim certificate. What an earlier
// run has begun is continued; a run that fails or is killed can be repeated. l may be nil if Made.
//
// It fails with a *Rejected if AWS IoT refuses.
func (p *Provisioner) Run(ctx context.Context, r Request, l Link) (*Device, error) {
	p.Request = r
	p.Wait = cmp.Or(p.Wait, 10*time.Second)
	if err := p.check(); err != nil {
		return nil, err
	}
	if !p.Made() {
		if err := p.get(ctx, l); err != nil {
			return nil, err
		}
	}
	return p.finish(ctx)
}

func (p *Provisioner) check() error {
	if p.Made() {
		return nil
	}
	if !templateName.MatchString(p.Template) {
		return fmt.Errorf("the template's name %q: AWS IoT has names of 1 to 36 letters, digits, - and _", p.Template)
	}
	if len(p.Parameters) > maxParameters {
		return fmt.Errorf("%d parameters are more than the %d that are possible", len(p.Parameters), maxParameters)
	}
	return nil
}

// get goes from wherever the journal stands to the files of the identity.
func (p *Provisioner) get(ctx context.Context, l Link) error {
	if err := p.recall(); err != nil {
		return err
	}
	key, err := p.ownKey()
	if err != nil {
		return err
	}
	s, err := p.subscribe(ctx, l)
	if err != nil {
		return err
	}
	defer s.cancel()
	for again := false; ; again = true {
		if p.journal.Token == "" {
			if err := p.create(ctx, s, key); err != nil {
				return err
			}
		}
		reply, err := p.register(ctx, s)
		var refused *Rejected
		if errors.As(err, &refused) && refused.token() && !again {
			p.step("the token of the certificate is not valid any more; another certificate is requested for the same key")
			p.journal.ID, p.journal.PEM, p.journal.Token = "", "", ""
			if err := p.save(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		return p.keep(reply)
	}
}

// recall drops what the journal has of another template or way, and notes the claim.
func (p *Provisioner) recall() error {
	j := &p.journal
	if j.AWSMakesKey != p.AWSMakesKey { // a key that AWS has seen is no key of this machine alone
		if err := p.disk.Erase(p.path(KeyFile)); err != nil {
			return err
		}
	}
	if j.Template != p.Template || j.AWSMakesKey != p.AWSMakesKey {
		*j = journal{Template: p.Template, AWSMakesKey: p.AWSMakesKey, Claim: j.Claim}
	}
	for _, file := range absolute(p.Claim) {
		if !slices.Contains(j.Claim, file) {
			j.Claim = append(j.Claim, file)
		}
	}
	if j.Token != "" && !p.fits() {
		j.ID, j.PEM, j.Token = "", "", ""
	}
	return p.save()
}

// fits reports whether the certificate of the journal belongs to the key on the disk.
func (p *Provisioner) fits() bool {
	key, err := p.readKey()
	if err != nil {
		return false
	}
	cert, err := ParseCert([]byte(p.journal.PEM))
	return err == nil && same(key.Public(), cert.PublicKey)
}

func (p *Provisioner) readKey() (crypto.Signer, error) {
	if err := CheckMode(p.path(KeyFile)); err != nil {
		return nil, err
	}
	text, err := durable.ReadFile(p.path(KeyFile), maxPEM)
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w: remove %s", p.path(KeyFile), err, filepath.Join(p.state, Pending))
	}
	return key, nil
}

// ownKey returns this machine's key, which is on the disk before any other program hears of it;
// nil if AWS makes it.
func (p *Provisioner) ownKey() (crypto.Signer, error) {
	if p.AWSMakesKey {
		return nil, nil
	}
	key, err := p.readKey()
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key, text, err := NewKey()
	if err != nil {
		return nil, err
	}
	p.step("made a private key (P-256), which stays on this machine")
	return key, p.disk.Replace(p.path(KeyFile), text)
}

// keep writes the identity into the folder that is not published yet, identity.json last.
func (p *Provisioner) keep(r registered) error {
	about := About{
		Thing: r.Thing, Endpoint: p.Endpoint, CertificateID: p.journal.ID, Template: p.Template,
		Source: "AWS IoT fleet provisioning", Configuration: r.Configuration, Made: p.now().UTC().Truncate(time.Second),
	}
	text, err := about.text()
	if err != nil {
		return err
	}
	for _, one := range []struct {
		name string
		data []byte
	}{{CertFile, []byte(p.journal.PEM)}, {CAFile, p.CA}, {AboutFile, text}} {
		if one.data == nil {
			continue
		}
		if err := p.disk.Replace(p.path(one.name), one.data); err != nil {
			return err
		}
	}
	p.step("registered as %s", r.Thing)
	return nil
}

// finish tries the identity, erases the claim and publishes the folder.
func (p *Provisioner) finish(ctx context.Context) (*Device, error) {
	fresh, dir := filepath.Join(p.state, Pending), filepath.Join(p.state, Folder)
	d, err := Read(fresh)
	if err != nil {
		return nil, err
	}
	if p.Check != nil {
		if err := p.Check(ctx, d); err != nil {
			return nil, fmt.Errorf("%s is registered, but cannot connect with its certificate, so the claim is kept: %w; check the policy that the template attaches, and run it again", d.Thing, err)
		}
		p.step("connected as %s", d.Thing)
	}
	kept := p.erase()
	if err := p.disk.Erase(p.path(journalFile)); err != nil { // it has the token
		return nil, err
	}
	if err := p.disk.Rename(fresh, dir); err != nil {
		return nil, err
	}
	if kept != nil {
		kept = fmt.Errorf("%w: %w", ErrClaimKept, kept)
	}
	d, err = Read(dir)
	return d, errors.Join(err, kept)
}

// erase erases the claim's files: those of this run, and those that an earlier one has noted.
//
// The journal is in a folder that may be a service's. Whoever took that over could have noted any file,
// so root erases of those only what this run names, and what is in the folder itself.
func (p *Provisioner) erase() (err error) {
	given := absolute(p.Claim)
	all := slices.Clone(given)
	for _, file := range p.journal.Claim {
		if !slices.Contains(all, file) {
			all = append(all, file)
		}
	}
	for _, file := range all {
		e := error(nil)
		if p.root() && !slices.Contains(given, file) && file != p.path(claimCert) && file != p.path(claimKey) {
			if _, gone := os.Lstat(file); errors.Is(gone, fs.ErrNotExist) {
				continue
			}
			e = fmt.Errorf("claim %s was given to an earlier run, and not to this one", file)
		} else {
			e = p.disk.Erase(file)
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%w; erase it yourself: shred -u %s", e, Quote(file)))
		} else {
			p.step("erased the claim %s", file)
		}
	}
	return err
}

// absolute returns paths as they are from any folder.
func absolute(paths []string) (all []string) {
	for _, path := range paths {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		all = append(all, path)
	}
	return all
}
