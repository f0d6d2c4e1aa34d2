package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// image writes the one image in saved again with every time in it set to at, and without
// what an engine notes about itself. Engines differ in that, and so in the image's digest.
func image(out, saved string, at time.Time) error {
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(saved) })
	if err != nil {
		return fmt.Errorf("%s: %w", saved, err)
	}

	if len(manifest) != 1 || len(manifest[0].RepoTags) != 1 {
		return fmt.Errorf("%s: want one image with one name, got %v", saved, manifest)
	}

	tag, err := name.NewTag(manifest[0].RepoTags[0])
	if err != nil {
		return fmt.Errorf("%s: %w", saved, err)
	}

	img, err := tarball.ImageFromPath(saved, &tag)
	if err != nil {
		return fmt.Errorf("%s: %w", saved, err)
	}

	if img, err = mutate.Canonical(img); err != nil {
		return fmt.Errorf("%s: %w", saved, err)
	}

	if img, err = mutate.Time(img, at); err != nil {
		return fmt.Errorf("%s: %w", saved, err)
	}

	return tarball.WriteToFile(out, tag, img)
}
