package dial

import (
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	maxRecords = 64 // of one answer that are looked at
	maxAliases = 4  // in a row
)

// query returns the question for a name's addresses of one kind. The bit that asks for an
// answer to us alone (RFC 6762 section 5.4) is left out: from a port of our own that is
// meant anyway, and there are responders that do not know it.
func query(id uint16, name string, kind dnsmessage.Type) ([]byte, error) {
	n, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id},
		Questions: []dnsmessage.Question{{Name: n, Type: kind, Class: dnsmessage.ClassINET}},
	}
	return m.Pack()
}

// addresses returns what a packet says of a name's addresses, if it is the answer to the
// question with that number. Aliases are followed inside the packet.
func addresses(packet []byte, id uint16, name string) (addrs []netip.Addr) {
	var p dnsmessage.Parser
	h, err := p.Start(packet)
	if err != nil || h.ID != id || !h.Response || h.OpCode != 0 || h.RCode != dnsmessage.RCodeSuccess || p.SkipAllQuestions() != nil {
		return nil
	}
	records := section(&p, nil, p.Answer)
	if p.SkipAllAuthorities() == nil {
		records = section(&p, records, p.Additional)
	}
	names := []string{name + "."}
	for i := 0; i < len(names); i++ {
		for _, r := range records {
			if r.Header.Class&^flush != dnsmessage.ClassINET || r.Header.TTL == 0 || !strings.EqualFold(r.Header.Name.String(), names[i]) {
				continue
			}
			switch b := r.Body.(type) {
			case *dnsmessage.AResource:
				addrs = append(addrs, netip.AddrFrom4(b.A))
			case *dnsmessage.AAAAResource:
				addrs = append(addrs, netip.AddrFrom16(b.AAAA).Unmap())
			case *dnsmessage.CNAMEResource:
				if to := b.CNAME.String(); len(names) <= maxAliases && IsLocal(to) {
					names = append(names, to)
				}
			}
		}
	}
	return addrs
}

// flush is the bit of a record's class that marks a name which one host alone has
// (RFC 6762 section 10.2).
const flush dnsmessage.Class = 1 << 15

// section appends the records that next returns. Those that cannot be read end it.
func section(p *dnsmessage.Parser, records []dnsmessage.Resource, next func() (dnsmessage.Resource, error)) []dnsmessage.Resource {
	for len(records) < maxRecords {
		r, err := next()
		if err != nil {
			break
		}
		records = append(records, r)
	}
	return records
}
