//! Reads and writes a number of bytes in the way that people write it.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, read as Kubernetes writes it: `512Mi`, `1Gi`, `1.5G`, `536870912`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        match bytes {
            0..0x40_0000 => write!(formatter, "{} KiB", bytes.div_ceil(1 << 10)),
            _ => write!(formatter, "{} MiB", bytes.div_ceil(1 << 20)),
        }
    }
}

/// Units of Kubernetes' quantities that are accepted, with their bytes.
const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
];

impl FromStr for Size {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<Self, NoSize> {
        let none = || NoSize(text.to_owned());
        let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end).ok_or_else(none)?;
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(none)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let whole: u64 = whole.parse().map_err(|_| none())?;
        let tenths = u32::try_from(fraction.len()).ok().and_then(|digits| 10_u64.checked_pow(digits)).ok_or_else(none)?;
        let fraction: u64 = fraction.parse().map_err(|_| none())?;
        let fraction = u64::try_from(u128::from(fraction) * u128::from(*unit) / u128::from(tenths)).map_err(|_| none())?;
        whole.checked_mul(*unit).and_then(|bytes| bytes.checked_add(fraction)).map(Self).ok_or_else(none)
    }
}

/// The error for a text that is not a number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no number of bytes: write it as Kubernetes does, say 512Mi, 1.5Gi or 536870912", .0.escape_debug())]
pub struct NoSize(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_kubernetes_writes_them() {
        for (text, bytes) in [
            ("0", 0),
            ("536870912", 512 << 20),
            ("512Mi", 512 << 20),
            ("1Gi", 1 << 30),
            ("1.5Gi", 3 << 29),
            ("1.5G", 1_500_000_000),
            ("100k", 100_000),
            ("2Ti", 2 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in [
            "",
            "Mi",
            "1.Mi",
            ".5Gi",
            "512 Mi",
            "512MiB",
            "512m",
            "512mi",
            "-1",
            "1e3",
            "18446744073709551616",
            "99999999Ti",
            "1.2.3",
            "٣Mi",
        ] {
            let error = text.parse::<Size>().unwrap_err().to_string();
            assert!(error.contains("say 512Mi"), "{error}");
        }
    }
}
