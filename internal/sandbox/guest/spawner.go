package guest

// SpawnerName is what the program is called when it is to be the spawner.
//
// The spawner starts the first processes of all sandboxes. A process in a user
// namespace of its own begins as a copy of the one that starts it, down to the
// tables of its memory: for a platform of 200 MB that takes 10 ms, and thrice that
// afterwards, as each page is copied that either of them changes. The spawner has
// less than one MiB.
//
// It ends with the platform, by its socket, and all that it has started ends with
// it. It is in no sandbox, and hears nothing but the platform.
const SpawnerName = "dropstack-spawner"

// Spawn starts a guest. The descriptors of the message are its end of its socket
// pair and, with Group, the control group of version 2 that it is born in.
type Spawn struct {
	UIDs, GIDs []IDs // of its user namespace
	KeepGroups bool  // supplementary groups, which without root the platform cannot take
	Group      bool
	Alone      bool // only the user namespace is wanted: the guest does nothing, as none of its ids
	// In are the files by which a thread joins the control groups of version 1 that
	// the guest is to be born in, Out those by which it leaves them again.
	In, Out []string
}

// IDs says that ids of a user namespace are ids of this machine.
type IDs struct{ Inside, Outside, Count int }

// Spawned answers Spawn. Its descriptor is the process (pidfd_open(2)).
type Spawned struct {
	Pid   int
	Error string
}

func (s *Spawn) code(c *coder) {
	list(c, &s.UIDs, (*coder).ids)
	list(c, &s.GIDs, (*coder).ids)
	c.flag(&s.KeepGroups)
	c.flag(&s.Group)
	c.flag(&s.Alone)
	c.texts(&s.In)
	c.texts(&s.Out)
}

func (c *coder) ids(i *IDs) {
	c.number(&i.Inside)
	c.number(&i.Outside)
	c.number(&i.Count)
}

func (s *Spawned) code(c *coder) {
	c.number(&s.Pid)
	c.text(&s.Error)
}
