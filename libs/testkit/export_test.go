package testkit

// OpenBaoBinary is exported to the test of what it says where there is none.
var OpenBaoBinary = openBaoBinary

// StartBao returns why a server does not start.
func StartBao(program, addr, dir string) error {
	process, _, err := startBao(program, addr, dir)
	if err == nil {
		return process.kill()
	}
	return err
}
