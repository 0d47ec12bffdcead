package control

import (
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"pithings/mqttlink/durable"
)

// UsualPlaces returns where agents are found on this machine.
func UsualPlaces() Places {
	p := Places{Service: "/run/" + Group}
	if dir := userFolder(); ours(dir) {
		p.User = dir
	}
	if os.Geteuid() == 0 {
		for _, pattern := range []string{"/run/user/*/pithings", filepath.Join(os.TempDir(), "pithings-*", "run")} {
			others, _ := filepath.Glob(pattern) // the pattern is right
			for _, dir := range others {
				if dir != p.User {
					p.Others = append(p.Others, dir)
				}
			}
		}
	}
	return p
}

// userFolder returns the runtime folder of this user: pam_systemd(8) makes
// $XDG_RUNTIME_DIR at the log-in. Where there is none (a container, cron, sudo) it is a
// folder of the user's in the one for temporary files, as tmux(1) has it.
func userFolder() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && ours(dir) { // sudo -E keeps that of the other user
		return filepath.Join(dir, "pithings")
	}
	uid := strconv.Itoa(os.Geteuid())
	if ours("/run/user/" + uid) {
		return "/run/user/" + uid + "/pithings"
	}
	return filepath.Join(os.TempDir(), "pithings-"+uid, "run")
}

// ours reports whether a path is a folder of this user, and no link to one.
func ours(dir string) bool {
	st, err := os.Lstat(dir)
	return err == nil && st.IsDir() && int(st.Sys().(*syscall.Stat_t).Uid) == os.Geteuid()
}

// Share makes the server reachable for those who do not know its state folder: as the
// service under systemd, for the group pithings; else in the folder of this user. It
// returns whether it is the service.
func (s *Server) Share(state string) (service bool, err error) {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); dir != "" {
		dir, _, _ = strings.Cut(dir, ":") // a unit may have several (systemd.exec(5))
		return true, s.share(filepath.Join(dir, serviceSocket), 0o660)
	}
	dir := userFolder()
	if err := durable.MakeFolder(dir); err != nil {
		return false, fmt.Errorf("runtime folder: %w", err)
	}
	// In the folder for temporary files another user may have been first.
	for _, name := range []string{dir, filepath.Dir(dir)} {
		if !ours(name) {
			return false, fmt.Errorf("runtime folder: %s is not a folder of this user", name)
		}
	}
	return false, s.share(socketOf(dir, state), 0o600)
}

// share listens at another path.
func (s *Server) share(path string, mode os.FileMode) error {
	l, release, err := listen(path, mode)
	if err != nil {
		return err
	}
	if mode&0o070 != 0 {
		l = guests{l}
		giveToGroup(path)
	}
	made, _ := os.Lstat(path) // without it the socket stays, and no process answers there
	s.others = append(s.others, &shared{l, path, made, release})
	return nil
}

// giveToGroup lets the members of the group open the socket. Under our unit they can
// already, since that is the group of the service; otherwise the process has to be root
// or a member. Without the group the socket is the owner's and root's.
func giveToGroup(path string) {
	g, err := user.LookupGroup(Group)
	if err != nil {
		return
	}
	if gid, err := strconv.Atoi(g.Gid); err == nil && gid != os.Getegid() {
		_ = os.Chown(path, -1, gid)
		_ = os.Chown(filepath.Dir(path), -1, gid)
	}
}

// socketOf returns where the agent of a state folder listens in a user's folder: who
// owns the state folder owns that socket, too.
func socketOf(folder, state string) string {
	h := fnv.New64a()
	h.Write([]byte(state))
	return filepath.Join(folder, fmt.Sprintf("%016x.socket", h.Sum64()))
}

// guests marks what is accepted.
type guests struct{ net.Listener }

func (l guests) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return guest{c}, nil
}
