// Package dial opens network connections as net.Dialer does, and knows the names of
// the local network, too: NAME.local (RFC 6762), as a Raspberry Pi is called on a
// network without a name server of its own.
//
//	d := &dial.Dialer{}
//	conn, err := d.DialContext(ctx, "tcp", "broker.local:1883")
//
// Go's own resolver asks name servers only, and they do not know such names. So a name
// under .local is looked up in this order, until one knows it:
//
//  1. the hosts file
//  2. the avahi daemon, at its socket
//  3. the hosts on the local links, by one-shot queries of our own (RFC 6762 section 5.1)
//  4. the system's resolver: some companies have a domain called local
//
// Any host on the local network can answer for any name. So what comes is bounded in
// size, number and time, an answer counts only if it is to the question that was asked,
// and rules about addresses (Dialer.Control) see each address just before it is dialled.
package dial
