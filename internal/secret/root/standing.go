package root

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Standing says what the place of the root key is worth.
type Standing struct {
	Provider string // the place
	// SameDisk says that the key, or what opens it, is on the file system of the
	// data.
	SameDisk bool
	// Statement is a sentence for the operator.
	Statement string
}

// Stand looks at where a provider's key is and where the data is.
func Stand(p Provider, dataDir string) (Standing, error) {
	s := Standing{Provider: p.String()}
	data, err := device(dataDir)
	if err != nil {
		return Standing{}, err
	}
	for _, path := range p.places() {
		key, err := device(path)
		if err != nil {
			return Standing{}, err
		}
		s.SameDisk = s.SameDisk || key == data
	}
	if s.SameDisk {
		s.Statement = "the root key and the data are on one disk: backups of the data without the key reveal nothing, whoever has the disk has everything"
		return s, nil
	}
	s.Statement = "the root key is not on the disk of the data: the disk alone reveals nothing"
	return s, nil
}

func device(path string) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, fmt.Errorf("find the disk of the root key: %w", &os.PathError{Op: "stat", Path: path, Err: err})
	}
	return uint64(stat.Dev), nil // an int32 on macOS
}
