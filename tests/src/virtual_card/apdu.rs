//! The card's side of APDUs (ISO 7816-4, short lengths): taking commands apart, putting answers together, and the habits of
//! T=0 cards.
//!
//! Written apart from the terminal's codec on purpose, so that one misreading of the standard cannot hide in both.

/// A status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sw(pub u16);

impl Sw {
    pub const OK: Self = Self(0x9000);
    pub const WRONG_LENGTH: Self = Self(0x6700);
    pub const CONDITIONS: Self = Self(0x6985);
    pub const WRONG_DATA: Self = Self(0x6A80);
    pub const NOT_SUPPORTED: Self = Self(0x6A81);
    pub const NOT_FOUND: Self = Self(0x6A82);
    pub const NO_RECORD: Self = Self(0x6A83);
    pub const WRONG_P1P2: Self = Self(0x6A86);
    pub const WRONG_OFFSET: Self = Self(0x6B00);
    pub const UNKNOWN_INS: Self = Self(0x6D00);
    pub const UNKNOWN_CLA: Self = Self(0x6E00);
    pub const WRITE_FAILED: Self = Self(0x6581);
    pub const WRONG_MAC: Self = Self(0x9302);
    pub const INSUFFICIENT: Self = Self(0x9401);
    pub const COUNTER_AT_END: Self = Self(0x9402);
    pub const NO_SUCH_KEY: Self = Self(0x9403);
    pub const NO_SUCH_PROOF: Self = Self(0x9406);
}

/// A command APDU taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandApdu<'a> {
    pub cla: u8,
    pub ins: u8,
    pub p1: u8,
    pub p2: u8,
    /// Empty in cases 1 and 2.
    pub data: &'a [u8],
    /// 1 to 256; `None` in cases 1 and 3.
    pub le: Option<usize>,
}

impl<'a> CommandApdu<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Sw> {
        let &[cla, ins, p1, p2, ref rest @ ..] = bytes else { return Err(Sw::WRONG_LENGTH) };
        let (data, le): (&[u8], _) = match *rest {
            [] => (&[], None),
            [le] => (&[], Some(le)),
            [0, ..] => return Err(Sw::WRONG_LENGTH),
            [lc, ref tail @ ..] => match tail.split_at_checked(usize::from(lc)) {
                Some((data, [])) => (data, None),
                Some((data, &[le])) => (data, Some(le)),
                Some(_) | None => return Err(Sw::WRONG_LENGTH),
            },
        };
        let le = le.map(|le| if le == 0 { 256 } else { usize::from(le) });
        Ok(Self { cla, ins, p1, p2, data, le })
    }

    /// CLA and INS as one number, for matching.
    pub fn code(&self) -> u16 {
        u16::from_be_bytes([self.cla, self.ins])
    }

    pub fn p1p2(&self) -> u16 {
        u16::from_be_bytes([self.p1, self.p2])
    }

    /// The data, where it must have this length.
    pub fn exactly<const N: usize>(&self) -> Result<&'a [u8; N], Sw> {
        self.data.try_into().map_err(|_| Sw::WRONG_LENGTH)
    }
}

/// What a chip makes of a command, before the line's habits.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub data: Vec<u8>,
    pub sw: Sw,
}

impl Reply {
    pub fn ok(data: impl Into<Vec<u8>>) -> Self {
        Self { data: data.into(), sw: Sw::OK }
    }

    fn bytes(mut self) -> Vec<u8> {
        self.data.extend_from_slice(&self.sw.0.to_be_bytes());
        self.data
    }
}

impl From<Sw> for Reply {
    fn from(sw: Sw) -> Self {
        Self { data: Vec::new(), sw }
    }
}

/// The lower layer of a chip: turns replies into answers, by way of GET RESPONSE where the card speaks T=0.
#[derive(Debug, Default)]
pub struct Line {
    /// Waits for GET RESPONSE.
    pending: Option<Reply>,
}

const GET_RESPONSE: u8 = 0xC0;

impl Line {
    pub fn reset(&mut self) {
        self.pending = None;
    }

    /// Takes one command through `run`. `t0`: data is announced by 61xx and fetched by GET RESPONSE, and an expected length
    /// that is not exact is answered by 6Cxx.
    pub fn answer(&mut self, bytes: &[u8], t0: bool, run: impl FnOnce(&CommandApdu) -> Reply) -> Vec<u8> {
        let command = match CommandApdu::parse(bytes) {
            Ok(command) => command,
            Err(sw) => return Reply::from(sw).bytes(),
        };
        if t0 && command.ins == GET_RESPONSE {
            return self.get_response(command.le);
        }
        self.pending = None;
        let reply = run(&command);
        if reply.data.is_empty() {
            return reply.bytes();
        }
        let exact = command.le == Some(reply.data.len());
        let too_much = command.le.is_some_and(|le| le != 256 && le > reply.data.len());
        if t0 && !command.data.is_empty() {
            let announced = Sw(0x6100 | len_byte(&reply.data));
            self.pending = Some(reply);
            return Reply::from(announced).bytes();
        }
        if too_much || (t0 && !exact) {
            return Reply::from(Sw(0x6C00 | len_byte(&reply.data))).bytes();
        }
        reply.bytes()
    }

    fn get_response(&mut self, le: Option<usize>) -> Vec<u8> {
        let Some(reply) = self.pending.take() else { return Reply::from(Sw::CONDITIONS).bytes() };
        if le == Some(reply.data.len()) {
            return reply.bytes();
        }
        let wrong = Sw(0x6C00 | len_byte(&reply.data));
        self.pending = Some(reply);
        Reply::from(wrong).bytes()
    }
}

/// Length as 61xx and 6Cxx say it: 256 is 00.
fn len_byte(data: &[u8]) -> u16 {
    u16::try_from(data.len() % 256).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_cases_of_commands_are_told_apart() {
        let parse = |bytes| CommandApdu::parse(bytes).map(|c| (c.data.to_vec(), c.le));
        assert_eq!(parse(&[0, 0x84, 0, 0]), Ok((vec![], None)));
        assert_eq!(parse(&[0, 0x84, 0, 0, 8]), Ok((vec![], Some(8))));
        assert_eq!(parse(&[0, 0x84, 0, 0, 0]), Ok((vec![], Some(256))));
        assert_eq!(parse(&[0, 0xA4, 0, 0, 2, 0x3F, 0]), Ok((vec![0x3F, 0], None)));
        assert_eq!(parse(&[0, 0xA4, 0, 0, 2, 0x3F, 0, 0]), Ok((vec![0x3F, 0], Some(256))));
        assert_eq!(parse(&[0, 0xA4, 0, 0, 2, 0x3F]), Err(Sw::WRONG_LENGTH));
        assert_eq!(parse(&[0, 0xA4, 0, 0, 2, 0x3F, 0, 0, 0]), Err(Sw::WRONG_LENGTH));
        assert_eq!(parse(&[0, 0xA4, 0, 0, 0, 0, 1]), Err(Sw::WRONG_LENGTH));
        assert_eq!(parse(&[0, 0xA4, 0]), Err(Sw::WRONG_LENGTH));
    }

    #[test]
    fn a_t0_card_announces_data_and_hands_it_out_once() {
        let mut line = Line::default();
        let mut say = |bytes: &[u8]| line.answer(bytes, true, |_| Reply::ok([1, 2, 3]));
        assert_eq!(say(&[0, 0xA4, 0, 0, 1, 9, 0]), [0x61, 3]);
        assert_eq!(say(&[0, 0xC0, 0, 0, 2]), [0x6C, 3]);
        assert_eq!(say(&[0, 0xC0, 0, 0, 3]), [1, 2, 3, 0x90, 0]);
        assert_eq!(say(&[0, 0xC0, 0, 0, 3]), [0x69, 0x85]);
        assert_eq!(say(&[0, 0xB0, 0, 0, 0]), [0x6C, 3]);
        assert_eq!(say(&[0, 0xB0, 0, 0, 3]), [1, 2, 3, 0x90, 0]);
    }

    #[test]
    fn a_t1_card_answers_at_once() {
        let mut line = Line::default();
        let mut say = |bytes: &[u8]| line.answer(bytes, false, |_| Reply::ok([1, 2, 3]));
        assert_eq!(say(&[0, 0xA4, 0, 0, 1, 9]), [1, 2, 3, 0x90, 0]);
        assert_eq!(say(&[0, 0xB0, 0, 0, 0]), [1, 2, 3, 0x90, 0]);
        assert_eq!(say(&[0, 0xB0, 0, 0, 4]), [0x6C, 3]);
    }
}
