// Package image builds the container of deploy/container as Debian's buildah does, runs what
// is in it, and reads the compose file with docker-compose:
//
//	go test -tags packages ./test/packages/image
//
// There is no Docker here, so neither its network nor its lists of devices are tested: buildah
// runs the image with a chroot, as its user, on this machine's network.
package image
