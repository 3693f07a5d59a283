INSERT INTO audit (tenant, at, who, place, what, answer) VALUES
('acme', 1700000300000000, 'IRC user <ada>', 'irc.example.org/#ci', 'force linux', 'forced build #2');
