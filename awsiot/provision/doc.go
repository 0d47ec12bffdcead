// Package provision gives a machine its identity at a broker: a private key, a certificate for it,
// and the name under which the broker knows it.
//
// # The identity
//
// It is a folder with device.key, device.crt, ca.pem if the broker's authority is not one of the
// system's, and identity.json with the name. The agent's is identity/ in the state folder:
//
//	d, err := provision.Identity(state)
//	if errors.Is(err, provision.ErrNone) { … } // this machine has none
//
// A folder comes into being by a rename, so that it is whole or not there. A private key that
// other users could read is refused with the command that closes it.
//
// # Fleet provisioning
//
// A [Provisioner] gets an identity from AWS IoT by a claim certificate. What it knows is on the
// disk before it is used, in identity.new/ beside identity/:
//
//	device.key           made and synced                         (only here; "create keys": after 1)
//	journal.json         for which template
//	1 create-from-csr  → journal.json: certificate and token
//	2 provision        → device.crt, ca.pem, identity.json       (identity.json last: all is there)
//	3 connect as the new device
//	4 the claim is erased, the journal removed, and the folder renamed to identity/
//
// A run that is cut off anywhere is repeated by the next one, with the same key. A token that has
// expired (an hour) or has been used leads back to 1. So there may be certificates at AWS that were
// never activated, and never two keys of one machine.
//
// Package authority makes identities for brokers of one's own, package document takes one from a
// document of JSON. docs/provisioning.md is for users.
package provision
